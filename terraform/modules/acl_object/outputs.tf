output "secret" {
  description = "The token's secret, where Consul or Nomad made it up."
  value       = one(terraform_data.secret[*].triggers_replace)
  sensitive   = true
}
