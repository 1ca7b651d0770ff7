output "files" {
  description = "By node, by path: the content, mode and owner of each file that is not secret."
  value       = module.nodes.files
}

output "secret_files" {
  description = "By node, by path: the content, mode and owner of each secret file."
  value       = module.nodes.secret_files
  sensitive   = true
}

output "user_data" {
  description = "By node whose root is /: cloud-init user data."
  value       = module.nodes.user_data
  sensitive   = true
}

output "units" {
  description = "By node: its systemd services, in the order in which they start."
  value       = module.nodes.units
}
