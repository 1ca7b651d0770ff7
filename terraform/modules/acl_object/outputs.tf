output "secret" {
  description = "The token's secret, if Consul or Nomad generated it."
  value       = one(terraform_data.secret[*].triggers_replace)
  sensitive   = true
}
