# What a function refers to outside of itself: saveRDS() saves nothing of the global environment.

# Return the values of the global environment that `value` refers to, by name: recursively through the user's
# functions, those in closures, lists and environments among them, and the formulas of fitted models.
find_globals <- function(value) {
  found <- new.env()
  seen <- list()
  visit <- function(value, scope) {
    if (is_seen(value)) return()
    if (is.function(value)) scope <- environment(value)
    for (name in names_in(value)) follow(name, scope)
    if (is.environment(value)) value <- as.list(value, all.names = TRUE)
    if (is.list(value) && !is.data.frame(value)) for (each in value) visit(each, scope)
  }
  is_seen <- function(value) {
    if (!is.function(value) && !is.environment(value)) return(FALSE)
    if (is.primitive(value) || isNamespace(value) || identical(value, globalenv()) ||
      any(vapply(seen, identical, NA, value))) return(TRUE)
    seen[[length(seen) + 1L]] <<- value
    FALSE
  }
  follow <- function(name, scope) {
    home <- home_of(name, scope)
    if (is.null(home)) {
      for (method in methods_of(name)) keep(method)
    } else if (identical(home, globalenv())) {
      keep(name)
    } else {
      visit(get(name, envir = home, inherits = FALSE), home)
    }
  }
  keep <- function(name) {
    if (exists(name, envir = found, inherits = FALSE)) return()
    value <- get(name, envir = globalenv(), inherits = FALSE)
    assign(name, value, envir = found)
    visit(value, globalenv())
    for (method in methods_of(name)) keep(method)
  }
  visit(value, globalenv())
  as.list(found, all.names = TRUE)
}

# Return the names that a function's code uses, or the functions that a formula calls: its variables are columns.
names_in <- function(value) {
  if (is.function(value)) return(codetools::findGlobals(value))
  if (!inherits(value, "formula")) return(character())
  Filter(function(name) exists(name, envir = globalenv(), mode = "function", inherits = FALSE), all.names(value))
}

# Return the user's environment that has `name`, as seen from `scope`; NULL if a package has it, or nobody.
home_of <- function(name, scope) {
  while (is.environment(scope) && !isNamespace(scope) && !identical(scope, emptyenv())) {
    if (exists(name, envir = scope, inherits = FALSE)) return(scope)
    if (identical(scope, globalenv())) return(NULL)
    scope <- parent.env(scope)
  }
  NULL
}

# Return the names of the user's methods of a generic function, such as print.price.
methods_of <- function(name) {
  names <- ls(globalenv(), all.names = TRUE)
  names <- names[startsWith(names, paste0(name, "."))]
  Filter(function(each) is.function(get(each, envir = globalenv())), names)
}

# Return the attached packages that R does not attach by itself, in the order in which they were attached.
attached_packages <- function() {
  own <- c("base", "methods", "datasets", "utils", "grDevices", "graphics", "stats", "clipperr")
  rev(setdiff(.packages(), own))
}

# Return the packages whose methods of predict() these values need, whether they are attached or not.
namespaces_of <- function(values) {
  found <- character()
  for (value in values) {
    for (class in class(value)) {
      method <- getS3method("predict", class, optional = TRUE)
      home <- if (is.function(method)) topenv(environment(method))
      if (isNamespace(home)) found <- c(found, getNamespaceName(home))
    }
  }
  unique(unname(found))
}
