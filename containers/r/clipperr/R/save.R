# Model folders: written here, opened by the runtime's kind `r`.

FORMAT <- 1L

# Save a prediction function or a fitted model as a model folder, and print the lines of Python that deploy it.
#
# fn is called with a batch of inputs, a list, and returns a list or a vector with an output for each; if
# as_matrix is TRUE, or the function's one argument is called `matrix`, it is called with a matrix, a row for
# each input. A fitted model is asked by predict(model, newdata): name the columns in sample_input. What the
# function refers to in the global environment is saved with it, and so are the names of attached packages.
#
# sample_input is one input, and decides the input type: raw is bytes, integer integers, numeric doubles, a
# character strings. Of a data frame, matrix, array or list the texts of jsonlite::serializeJSON() are sent as
# strings. With warm_up the sample is answered here, and by each replica before it is ready.
#
# Returns the folder's path, invisibly.
save_model <- function(fn, sample_input, dir, as_matrix = NULL, warm_up = TRUE) {
  path <- store(fn, sample_input, dir, as_matrix, warm_up)
  print_deployment(path, input_type_of(sample_input), basename(path), 1L)
  invisible(path)
}

store <- function(fn, sample_input, dir, as_matrix = NULL, warm_up = TRUE) {
  model <- describe(fn, sample_input, as_matrix)
  if (warm_up) answer_sample(model)
  native <- file.path(dir, "model")
  dir.create(native, recursive = TRUE, showWarnings = FALSE)
  saveRDS(model, file.path(native, "model.rds"))
  fields <- list(input_type = input_type_of(sample_input), r_version = model$r_version)
  manifest <- list(kind = "r", format = FORMAT, warm_up = warm_up, model = fields)
  text <- jsonlite::toJSON(manifest, auto_unbox = TRUE, pretty = TRUE)
  writeLines(text, file.path(dir, "model.json"), useBytes = TRUE)
  normalizePath(dir)
}

describe <- function(fn, sample_input, as_matrix) {
  input_type <- input_type_of(sample_input)
  is_row <- input_type != "strings"
  if (!is.function(fn)) {
    as_matrix <- is_row
    fn <- predictor(fn, sample_input)
  }
  if (is.null(as_matrix)) as_matrix <- is_row && identical(names(formals(fn)), "matrix")
  if (as_matrix && !is_row) {
    stop("as_matrix is TRUE, and sample_input is no vector of numbers: leave as_matrix out")
  }
  globals <- find_globals(fn)
  list(
    format = FORMAT, fn = fn, globals = globals, packages = attached_packages(),
    namespaces = namespaces_of(c(globals, as.list(environment(fn)))), sample = sample_input,
    is_serialised = input_type == "strings" && !is.character(sample_input), as_matrix = as_matrix,
    columns = if (as_matrix) names(sample_input), r_version = as.character(getRversion())
  )
}

input_type_of <- function(sample_input) {
  if (is.data.frame(sample_input) || !is.null(dim(sample_input)) || is.list(sample_input)) return("strings")
  types <- c(raw = "bytes", integer = "integers", double = "doubles", character = "strings")
  found <- types[typeof(sample_input)]
  if (is.na(found) || is.object(sample_input)) {
    stop("sample_input is a ", class(sample_input)[[1L]], ": pass one input as queries have it, a raw, integer, ",
      "numeric or character vector, a data frame, a matrix or a list")
  }
  if (found == "strings" && length(sample_input) != 1L) stop("sample_input has ", length(sample_input),
    " strings: an input is one string")
  unname(found)
}

# The function that asks a fitted model. Its environment is not this package's, which replicas do not have.
predictor <- function(model, sample_input) {
  if (!is.data.frame(sample_input) && is.null(names(sample_input))) {
    stop("sample_input has no names: name the model's columns, such as c(height = 1.8, weight = 70), or pass ",
      "a data frame of one row")
  }
  fn <- if (is.data.frame(sample_input)) {
    function(inputs) predict(model, do.call(rbind, inputs))
  } else {
    function(matrix) predict(model, as.data.frame(matrix))
  }
  environment(fn) <- list2env(list(model = model), parent = globalenv())
  fn
}

answer_sample <- function(model) {
  inputs <- list(model$sample)
  if (model$as_matrix) {
    inputs <- matrix(model$sample, nrow = 1L, dimnames = if (!is.null(model$columns)) list(NULL, model$columns))
  }
  outputs <- tryCatch(model$fn(inputs), error = function(e) {
    stop("the model fails on sample_input: ", conditionMessage(e), call. = FALSE)
  })
  count <- if (is.null(dim(outputs))) length(outputs) else nrow(outputs)
  if (count != 1L) stop("the model returns ", count, " outputs for one input: it must return one for each input")
}
