# NVIDIA GPUs: the driver, the container toolkit with which Docker gives them to containers, and Nomad's device plugin,
# which finds them. Docker's runtime is in docker.tf, the plugin's folder in folders.tf, its settings in nomad_client.tf.
locals {
  gpu_installed = { for name, pool in local.with_gpu : name => pool if pool.gpu.driver == "install" }

  gpu_packages = { for name, pool in local.gpu_installed : name => pool.gpu.packages }

  gpu_pinned_packages = {
    for name, pool in local.with_gpu : name => concat(
      [["nomad-device-nvidia", var.versions.nomad_device_nvidia]],
      # All of its packages: apt would take the newest versions of mere dependencies, which do not fit.
      [
        for package in ["nvidia-container-toolkit", "nvidia-container-toolkit-base", "libnvidia-container-tools", "libnvidia-container1"] :
        [package, var.versions.nvidia_container_toolkit] if contains(keys(local.gpu_installed), name)
      ],
    )
  }

  gpu_apt_sources = {
    for name in keys(local.gpu_installed) : name => {
      "nvidia-container-toolkit.list" = {
        # $(ARCH) is for apt itself.
        source = "deb [signed-by=$KEY_FILE] https://nvidia.github.io/libnvidia-container/stable/deb/$(ARCH) /"
        keyid  = "C95B321B61E88C1809C4F759DDCAE044F796ECB0"
      }
    }
  }

  # The new driver's module cannot be loaded if the kernel has loaded another one for the same GPUs.
  gpu_cloud_config = {
    for name in keys(local.gpu_installed) : name => {
      power_state = {
        mode      = "reboot"
        message   = "Rebooting for NVIDIA's driver"
        condition = "test -e /run/clipper-nomad-reboot"
      }
    }
  }
}
