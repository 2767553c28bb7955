# What Nix users expect: `nix build .#image && ./result | docker load`. nixpkgs' dockerTools over the same layers.
{
  runPython,
  pkgs,
}:
{
  lock,
  layout,
  config,
  architecture,
}:
let
  # dockerTools reads its base from a docker-archive, so here the layers are written to one.
  base = runPython {
    name = "docker-archive-${lock.name}-${architecture}.tar";
    script = "image_tar.py";
    spec = {
      image = layout;
      tag = "${lock.name}:base";
    };
  };
in
pkgs.dockerTools.streamLayeredImage {
  inherit (lock) name;
  inherit architecture config;
  tag = "latest";
  fromImage = base;
  created = lock.as_of;
  mtime = lock.as_of;
  # Every layer is in the base; one more for dockerTools' own.
  maxLayers = 127;
}
