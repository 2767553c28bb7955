# The image over its layers, its tars, and the configuration of what runs in it.
{ runPython }:
let
  # Its own packages and nobody else's: -E ignores PYTHONPATH and the like, which are for ComfyUI.
  gateway = [
    "/opt/gateway/bin/python"
    "-E"
    "-u"
    "-B"
    "/opt/pycomfy/gateway"
  ];
  second = 1000000000;
in
rec {
  # lock, and the lock's hash -> the OCI image configuration's `config`
  config =
    { lock, lockHash }:
    {
      User = "1000:1000";
      WorkingDir = "/data";
      Entrypoint = [
        "/usr/bin/tini"
        "-g"
        "--"
      ]
      ++ gateway;
      Cmd = [ "serve" ];
      StopSignal = "SIGTERM";
      ExposedPorts."8000/tcp" = { };
      Volumes."/data" = { };
      Env = [
        "PATH=/opt/venv/bin:/usr/local/bin:/usr/bin:/bin"
        "LANG=C.UTF-8"
        "HOME=/data"
        "XDG_CACHE_HOME=/tmp/cache"
        "PYTHONUNBUFFERED=1"
        "PYTHONDONTWRITEBYTECODE=1"
        "NVIDIA_VISIBLE_DEVICES=all"
        "NVIDIA_DRIVER_CAPABILITIES=compute,utility,video"
      ]
      # Debian makes the links cc and c++ in installation scripts, which do not run. Inductor's own folder has the name of
      # the user, who need not have one.
      ++ (
        if lock.compiler or false then
          [
            "CC=gcc"
            "CXX=g++"
            "TORCHINDUCTOR_CACHE_DIR=/tmp/torchinductor"
          ]
        else
          [ ]
      );
      # Not in OCI's list, but Docker reads it from the same place.
      Healthcheck = {
        Test = [ "CMD" ] ++ gateway ++ [ "health" ];
        Interval = 15 * second;
        Timeout = 5 * second;
        StartPeriod = 180 * second;
        Retries = 3;
      };
      Labels = {
        "org.opencontainers.image.title" = lock.name;
        "org.opencontainers.image.version" = lock.comfyui.version;
        "org.opencontainers.image.source" = lock.comfyui.source.url or lock.comfyui.source.path;
        "org.opencontainers.image.created" = lock.as_of;
        "dev.pycomfy.lock.sha256" = lockHash;
        "dev.pycomfy.workflow.sha256" = lock.workflow.sha256;
      };
    };

  # -> the image: an OCI layout whose layers are folders in place of tars
  layout =
    {
      lock,
      lockHash,
      architecture,
      layers,
    }:
    runPython {
      name = "image-${lock.name}-${architecture}";
      script = "layout.py";
      spec = {
        inherit (lock) name;
        inherit architecture;
        created = lock.as_of;
        config = config { inherit lock lockHash; };
        layers = map (l: {
          inherit (l) name comment;
          path = l.drv;
        }) layers;
      };
    };

  # The image, its layers -> the whole layout, a folder that skopeo and Podman read in place
  oci =
    {
      lock,
      architecture,
      layers,
      layout,
    }:
    runPython {
      name = "oci-${lock.name}-${architecture}";
      script = "oci.py";
      spec = {
        inherit layout;
        tars = map (
          l:
          runPython {
            name = "tar-${l.name}";
            script = "image_tar.py";
            spec.layer = l.drv;
          }
        ) layers;
      };
    };
}
