output "files" {
  description = "By node, by path: the content, mode and owner of each file that is not secret."
  value       = local.files

  precondition {
    condition     = length(local.problems) == 0
    error_message = join("\n", local.problems)
  }
}

output "secret_files" {
  description = "By node, by path: the content, mode and owner of each secret file."
  value       = local.secret_files
  sensitive   = true
}

output "secret_bundles" {
  description = "By node: its secret files as JSON, for a secret store."
  value       = { for node, files in local.secret_files : node => jsonencode(files) }
  sensitive   = true
}

output "user_data" {
  description = "By node whose root is /: cloud-init user data that writes the files and starts the services. Its only secrets are those of `fetch_secrets`."
  value       = local.user_data
  sensitive   = true
}

output "units" {
  description = "By node: its systemd services, in the order in which they start."
  value       = local.units
}
