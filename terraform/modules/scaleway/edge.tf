# The public edge: HTTPS of the domain, which the load balancer terminates and forwards to Fabio through the private
# network, and HTTP, which it answers with a redirect. Behind it are only Fabio's HTTP routes, and of these only the paths
# of public_paths: Fabio's TCP ports, its UI and the management frontends stay inside.

resource "scaleway_lb_ip" "edge" {
  zone = var.zones[0]
  tags = [var.name]
}

resource "scaleway_lb" "edge" {
  name   = "${var.name}-edge"
  type   = var.load_balancer_type
  zone   = var.zones[0]
  ip_ids = [scaleway_lb_ip.edge.id]
  tags   = [var.name]

  private_network {
    private_network_id = scaleway_vpc_private_network.this.id
  }
}

resource "scaleway_lb_backend" "fabio" {
  name             = "fabio"
  lb_id            = scaleway_lb.edge.id
  forward_protocol = "http"
  forward_port     = var.fabio.http_port
  server_ips       = [for name, node in local.nodes : local.addresses[name] if node.role == "edge"]

  health_check_port        = var.fabio.ui_port
  health_check_delay       = "2s"
  health_check_timeout     = "2s"
  health_check_max_retries = 2

  health_check_http {
    uri    = "/health"
    method = "GET"
    code   = 200
  }

  # Connections to a lost Fabio are closed, so that clients connect again, to another one.
  on_marked_down_action = "shutdown_sessions"
}

resource "scaleway_domain_record" "edge" {
  count = var.domain != null && var.dns_zone != null ? 1 : 0

  dns_zone = var.dns_zone
  name     = var.domain == var.dns_zone ? "" : trimsuffix(var.domain, ".${var.dns_zone}")
  type     = "A"
  data     = scaleway_lb_ip.edge.ip_address
  ttl      = 300
}

# Let's Encrypt issues a certificate once the domain's name leads here; the load balancer renews it.
resource "scaleway_lb_certificate" "edge" {
  count = var.domain != null ? 1 : 0

  name  = var.domain
  lb_id = scaleway_lb.edge.id

  letsencrypt {
    common_name = var.domain
  }

  lifecycle {
    create_before_destroy = true
  }

  depends_on = [scaleway_domain_record.edge]
}

resource "scaleway_lb_frontend" "https" {
  count = var.domain != null ? 1 : 0

  name            = "https"
  lb_id           = scaleway_lb.edge.id
  backend_id      = scaleway_lb_backend.fabio.id
  inbound_port    = 443
  certificate_ids = [scaleway_lb_certificate.edge[0].id]

  acl {
    name = "public-paths-only"

    action {
      type = "deny"
    }

    match {
      http_filter       = "path_begin"
      http_filter_value = var.public_paths
      invert            = true
    }
  }
}

resource "scaleway_lb_frontend" "http" {
  count = var.domain != null ? 1 : 0

  name         = "http"
  lb_id        = scaleway_lb.edge.id
  backend_id   = scaleway_lb_backend.fabio.id
  inbound_port = 80

  acl {
    name = "to-https"

    action {
      type = "redirect"

      redirect {
        type   = "scheme"
        target = "https"
        code   = 308 # keeps the method, so a POST stays one
      }
    }

    match {
      http_filter       = "path_begin"
      http_filter_value = ["/"]
    }
  }
}
