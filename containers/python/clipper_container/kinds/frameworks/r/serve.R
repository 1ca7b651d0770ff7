# The R process of a replica: it loads a model, and answers batches over two pipes. frames.py has the frames.
#
# Rscript serve.R REQUESTS ANSWERS MODEL WARM_UP: two descriptors, the path of model.rds, and 1 or 0. The
# model's globals are in the global environment, and this file's names are not: a local environment has them.

local({
  NUMBERS <- 0L; VECTORS <- 1L; TEXTS <- 2L; FAILURE <- 3L
  STRINGS <- 4L
  FORMAT <- 1L
  # What a client may send as a serialised value: data, but no code and no objects of other packages.
  DATA <- c("NULL", "logical", "integer", "numeric", "double", "complex", "character", "raw", "list")

  arguments <- commandArgs(trailingOnly = TRUE)
  requests <- file(paste0("/dev/fd/", arguments[[1L]]), "rb", raw = TRUE)
  answers <- file(paste0("/dev/fd/", arguments[[2L]]), "wb", raw = TRUE)
  # A warning is in the log when it is raised.
  options(warn = 1L)

  # -- the model ---------------------------------------------------------------------------------------------

  load_model <- function(path) {
    model <- readRDS(path)
    if (!is.list(model) || !identical(model$format, FORMAT) || !is.function(model$fn)) {
      stop("the file is none of clipperr::save_model()'s, or another version's: save the model again")
    }
    for (name in model$namespaces) loadNamespace(name)
    for (name in model$packages) suppressPackageStartupMessages(library(name, character.only = TRUE))
    if (model$is_serialised) loadNamespace("jsonlite")
    list2env(model$globals, globalenv())
    report_version(model$r_version)
    model
  }

  report_version <- function(saved_by) {
    here <- as.character(getRversion())
    if (!identical(sub("[.][0-9]+$", "", saved_by), sub("[.][0-9]+$", "", here))) {
      message("the model was saved by R ", saved_by, ", and R ", here, " serves it")
    }
  }

  warm_up <- function(model) {
    for (size in 1:2) {
      inputs <- rep(list(model$sample), size)
      if (model$as_matrix) inputs <- as_rows(unlist(inputs, use.names = FALSE), rep(length(model$sample), size))
      encode(model$fn(inputs))
    }
  }

  # -- inputs ------------------------------------------------------------------------------------------------

  read_integers <- function(count) readBin(requests, "integer", count, size = 4L, endian = "little")

  read_values <- function(type, lengths) {
    if (type == STRINGS) {
      texts <- readChar(requests, lengths, useBytes = TRUE)
      Encoding(texts) <- "UTF-8"
      return(texts)
    }
    what <- c("raw", "integer", "double", "double")[[type + 1L]]
    size <- c(1L, 4L, 4L, 8L)[[type + 1L]]
    readBin(requests, what, sum(lengths), size = size, endian = "little")
  }

  as_inputs <- function(type, values, lengths) {
    if (type == STRINGS) {
      return(if (model$is_serialised) lapply(values, parse_value) else as.list(values))
    }
    if (model$as_matrix) return(as_rows(values, lengths))
    before <- cumsum(lengths) - lengths
    lapply(seq_along(lengths), function(i) values[before[[i]] + seq_len(lengths[[i]])])
  }

  as_rows <- function(values, lengths) {
    if (any(lengths != lengths[[1L]])) {
      stop("the inputs have different lengths, and the function takes a matrix")
    }
    columns <- model$columns
    if (!is.null(columns) && lengths[[1L]] != length(columns)) {
      stop("the input has ", lengths[[1L]], " numbers, and the model takes ", length(columns), ": ",
        paste(columns, collapse = ", "))
    }
    names <- if (is.null(columns)) NULL else list(NULL, columns)
    matrix(values, nrow = length(lengths), ncol = lengths[[1L]], byrow = TRUE, dimnames = names)
  }

  # A text of jsonlite::serializeJSON(), or a JSON object with a value for each column of a data frame.
  parse_value <- function(text) {
    parsed <- jsonlite::fromJSON(text, simplifyVector = FALSE)
    if (is.list(parsed) && is.character(parsed$type) && "attributes" %in% names(parsed)) {
      require_data(parsed)
      return(jsonlite::unserializeJSON(text))
    }
    if (!is.data.frame(model$sample)) stop("the input is no text of jsonlite::serializeJSON()")
    as.data.frame(lapply(parsed, function(each) if (is.null(each)) NA else each), check.names = FALSE)
  }

  require_data <- function(packed) {
    if (!is.character(packed$type) || length(packed$type) != 1L || !packed$type %in% DATA) {
      stop("the input holds an R object of type ", toString(packed$type), ", and only data may be sent")
    }
    for (each in packed$attributes) require_data(each)
    if (identical(packed$type, "list")) for (each in packed$value) require_data(each)
  }

  # -- outputs -----------------------------------------------------------------------------------------------

  encode <- function(outputs) {
    if (is.factor(outputs)) outputs <- as.character(outputs)
    if (is.data.frame(outputs) || length(dim(outputs)) == 2L) return(encode_rows(outputs))
    if (is.object(outputs)) outputs <- lapply(seq_along(outputs), function(i) outputs[[i]])
    if (!is.list(outputs)) return(encode_atoms(as.vector(outputs)))
    is_plain <- !vapply(outputs, function(each) is.object(each) || !is.atomic(each) || is.null(each), NA)
    types <- unique(vapply(outputs, typeof, ""))
    if (all(is_plain) && length(types) == 1L) {
      lengths <- lengths(outputs, use.names = FALSE)
      if (all(lengths == 1L)) return(encode_atoms(unlist(outputs, use.names = FALSE)))
      has_dim <- any(vapply(outputs, function(each) !is.null(dim(each)), NA))
      if (types == "double" && !has_dim) return(vectors(lengths, unlist(outputs, use.names = FALSE)))
    }
    texts(vapply(outputs, text_of, ""))
  }

  encode_rows <- function(outputs) {
    if (is.double(outputs)) return(vectors(rep(ncol(outputs), nrow(outputs)), as.double(t(outputs))))
    row <- if (is.data.frame(outputs)) {
      function(i) as.list(outputs[i, , drop = FALSE])
    } else {
      function(i) as.list(unname(outputs[i, ]))
    }
    texts(vapply(seq_len(nrow(outputs)), function(i) text_of(row(i)), ""))
  }

  encode_atoms <- function(values) {
    if (is.double(values)) return(list(form = NUMBERS, count = length(values), data = as.double(values)))
    written <- switch(typeof(values),
      integer = sprintf("%d", values),
      logical = c("false", "true")[values + 1L],
      character = enc2utf8(values),
      vapply(values, text_of, "")
    )
    written[is.na(values)] <- "null"
    texts(written)
  }

  text_of <- function(output) {
    if (is.factor(output)) output <- as.character(output)
    if (is.character(output) && length(output) == 1L && is.null(dim(output)) && !is.na(output)) {
      return(enc2utf8(as.vector(output)))
    }
    as.character(jsonlite::toJSON(output, auto_unbox = TRUE, digits = NA, null = "null", na = "null"))
  }

  vectors <- function(lengths, data) list(form = VECTORS, count = length(lengths), lengths = lengths, data = data)

  texts <- function(values) {
    list(form = TEXTS, count = length(values), lengths = nchar(values, type = "bytes"),
      data = charToRaw(paste(values, collapse = "")))
  }

  failure <- function(condition) {
    text <- charToRaw(enc2utf8(conditionMessage(condition)))
    list(form = FAILURE, count = length(text), data = text)
  }

  write_answer <- function(answer) {
    writeBin(c(answer$form, as.integer(answer$count), as.integer(answer$lengths)), answers, size = 4L,
      endian = "little")
    writeBin(answer$data, answers, endian = "little")
    flush(answers)
  }

  # -- serving -----------------------------------------------------------------------------------------------

  model <- NULL
  ready <- tryCatch({
    model <- load_model(arguments[[3L]])
    if (arguments[[4L]] == "1") warm_up(model)
    texts(as.character(getRversion()))
  }, error = failure)
  write_answer(ready)

  while (ready$form != FAILURE) {
    head <- read_integers(2L)
    if (length(head) < 2L) break # the replica has ended
    lengths <- read_integers(head[[2L]])
    values <- read_values(head[[1L]], lengths)
    write_answer(tryCatch(encode(model$fn(as_inputs(head[[1L]], values, lengths))), error = failure))
  }
  quit("no")
}, envir = new.env(parent = baseenv()))
