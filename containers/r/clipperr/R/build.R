# build_model(): Clipper's call, with Clipper's arguments.

# Save a prediction function or a fitted model in the working directory, and print the lines of Python that
# deploy it. Returns the folder's path, invisibly.
#
# model_registry is the registry of images that the printed lines name. The other arguments are save_model()'s.
build_model <- function(model_name, model_version, prediction_function, sample_input, model_registry = NULL) {
  folder <- paste0(model_name, "-", model_version)
  path <- store(prediction_function, sample_input, folder)
  print_deployment(path, input_type_of(sample_input), model_name, model_version, model_registry)
  invisible(path)
}

print_deployment <- function(path, input_type, name, version, registry = NULL) {
  quoted <- function(text) as.character(jsonlite::toJSON(as.character(text), auto_unbox = TRUE))
  arguments <- c("clipper_conn", quoted(name), quoted(version), quoted(input_type), quoted(path))
  if (!is.null(registry)) arguments <- c(arguments, paste0("registry=", quoted(registry)))
  cat("Deploy the model in Python:\n\n")
  cat("from clipper_nomad.deployers import r as r_deployer\n")
  cat("r_deployer.deploy_r_model(", paste(arguments, collapse = ", "), ")\n", sep = "")
}
