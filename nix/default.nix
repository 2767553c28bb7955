# A lock becomes an image.
#
#   nix-build nix --argstr platform linux/arm64 -A oci
#
# -> { sources, ingredients, root, layers, layout, oci, programs, image }; `image` alone needs nixpkgs.
{
  project ? ../.,
  system ? builtins.currentSystem,
  platform ? null,
  lockFile ? project + "/pycomfy.lock",
  workflowFile ? project + "/workflow.json",
  gatewayFolder ? project + "/gateway",
  localFolder ? null, # the folder that the lock's relative paths are below, where it is not a project
  withPrompt ? true, # whether the project's prompt.json and interface.json are those of the workflow
  pkgs ? throw "pycomfy: `image` needs nixpkgs: nix-build … --arg pkgs 'import /path/to/nixpkgs { }', or use `oci`",
}:
let
  lockText = builtins.readFile lockFile;
  lock = builtins.fromJSON lockText;
  lockHash = builtins.hashString "sha256" lockText;

  hostPlatforms = {
    x86_64-linux = "linux/amd64";
    aarch64-linux = "linux/arm64";
  };
  locked = builtins.attrNames lock.platforms;
  pinsOf =
    p:
    lock.platforms.${p}
      or (throw "pycomfy.lock: ${p} is not locked, only ${toString locked} is: `pycomfy lock --platform ${p}`");

  host =
    hostPlatforms.${system}
      or (throw "pycomfy: images are built on ${toString (builtins.attrNames hostPlatforms)}, not on ${system}");
  target = if platform == null then host else platform;
  architecture = builtins.replaceStrings [ "linux/" ] [ "" ] target;

  fetch = import ./fetch.nix {
    inherit project localFolder;
    inherit (python) runPython;
  };
  roots = import ./root.nix {
    inherit fetch;
    inherit (lock) python;
    host = {
      platform = host;
      inherit (pinsOf host) root;
    };
  };
  python = import ./python.nix {
    platform = host;
    root = roots.tree host (pinsOf host).root;
    inherit (lock) python;
  };
  inherit (python) runPython;
  images = import ./oci.nix { inherit runPython; };

  machine = platform: {
    inherit platform;
    pins = pinsOf platform;
    inherit
      (import ./python.nix {
        inherit platform;
        root = roots.tree platform (pinsOf platform).root;
        inherit (lock) python;
      })
      runPython
      ;
  };
  wheels = import ./wheel.nix {
    inherit fetch roots;
    inherit (lock) python;
    host = machine host;
    target = machine target;
  };

  root = roots.tree target (pinsOf target).root;

  # The project's own files in the image, each by its content: a change to the README rebuilds nothing.
  files =
    let
      places = {
        "pycomfy.lock" = lockFile;
        "workflow.json" = workflowFile;
        "prompt.json" = project + "/prompt.json";
        "interface.json" = project + "/interface.json";
      };
      own = builtins.filter (name: builtins.pathExists places.${name}) (
        [
          "pycomfy.lock"
          "workflow.json"
        ]
        ++ (
          if withPrompt then
            [
              "prompt.json"
              "interface.json"
            ]
          else
            [ ]
        )
      );
    in
    map (name: {
      kind = "file";
      owner = "project";
      path = builtins.path {
        inherit name;
        path = places.${name};
      };
      to = "opt/pycomfy/${name}";
    }) own;
  # Without the pins of its packages: in the image they are the lock's.
  gateway = {
    kind = "tree";
    owner = "gateway";
    path = builtins.path {
      name = "gateway";
      path = gatewayFolder;
      filter =
        path: _:
        !builtins.elem (baseNameOf path) [
          "__pycache__"
          "requirements.txt"
        ];
    };
    prefix = "opt/pycomfy/gateway";
  };

  layers = (import ./layer.nix { inherit runPython fetch wheels; }).layers {
    inherit
      lock
      root
      gateway
      files
      ;
    pins = pinsOf target;
    native = host == target;
  };
  layout = images.layout {
    inherit
      lock
      lockHash
      architecture
      layers
      ;
  };
in
{
  # `layout` is the image as pycomfy starts it, of folders alone; `oci` has its layers' tars, too.
  inherit root layout;
  oci = images.oci {
    inherit
      lock
      architecture
      layers
      layout
      ;
  };

  # Everything the image is made from, for fetching and for an archive.
  sources =
    [ (fetch.source "ComfyUI" lock.comfyui.source) ]
    ++ map (p: fetch.source p.name p.source) lock.packs
    ++ map (p: roots.tree p (pinsOf p).root) (if host == target then [ host ] else [ host target ])
    ++ map wheels.wheel ((pinsOf target).wheels ++ (pinsOf target).gateway or [ ]);

  # What root filesystems are made of, and wheels that no index has. While these are there, or in a cache, it is not
  # needed.
  ingredients =
    builtins.concatMap (p: roots.ingredients (pinsOf p).root) (if host == target then [ host ] else [ host target ])
    ++ builtins.concatMap wheels.ingredients (pinsOf target).wheels;

  layers = map (l: l.drv) layers;

  # { load, run }: files that can be run.
  programs = (import ./programs.nix { inherit (python) runPython interpreter; }).of { inherit lock layout; };

  image = import ./dockertools.nix { inherit runPython pkgs; } {
    inherit lock layout architecture;
    config = images.config { inherit lock lockHash; };
  };
}
