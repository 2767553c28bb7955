# The layers of an image, bottom first: what changes rarely lies below what changes often.
{
  runPython,
  fetch,
  wheels,
}:
let
  mib = 1024 * 1024;

  # A wheel of this size (compressed) or more has a layer of its own.
  largeWheel = 16 * mib;

  # OCI engines stop at 127 layers; root, venv, small wheels, ComfyUI, the gateway and the workflow take six, and more
  # node packs one.
  mostWheelLayers = 60;
  mostPackLayers = 50;

  # Nix builds in the order of names: the letter lets the long ones start first, so that no core idles at the end.
  # It depends on the layer alone, or else one wheel would rename the layers of others.
  weight =
    bytes:
    if bytes >= 512 * mib then
      "a"
    else if bytes >= 128 * mib then
      "b"
    else
      "c";

  take =
    n: list:
    builtins.genList (builtins.elemAt list) (
      if n < builtins.length list then n else builtins.length list
    );
  drop =
    n: list:
    let
      length = builtins.length list;
    in
    if n >= length then [ ] else builtins.genList (i: builtins.elemAt list (i + n)) (length - n);

  sum = builtins.foldl' builtins.add 0;

  # { name, comment, inputs } -> { name, comment, drv }
  mkLayer =
    venv:
    {
      name,
      comment,
      inputs,
      size ? 0,
    }:
    {
      inherit name comment;
      drv = runPython {
        name = "layer-${weight size}-${name}";
        script = "layer.py";
        spec = {
          inherit name venv inputs;
        };
      };
    };

  treeInput =
    {
      name,
      owner,
      source,
      prefix,
    }:
    let
      path = fetch.source name source;
    in
    {
      wheel-tree = {
        kind = "zip";
        inherit owner path prefix;
        inherit (source) folder exclude;
      };
      git = {
        kind = "tree";
        inherit owner path prefix;
      };
      path = {
        kind = "tree";
        inherit owner path prefix;
      };
      url = {
        kind = "file";
        inherit owner path;
        # Of a folder ComfyUI loads the package, whatever the file was called.
        to = "${prefix}/__init__.py";
      };
    }
    .${source.kind};

  wheelInput = w: {
    kind = "wheel";
    owner = "${w.name} ${w.version}";
    path = wheels.wheel w;
  }
  // (if (w.exclude or [ ]) == [ ] then { } else { inherit (w) exclude; });
in
{
  # lock, what it pins for the platform, its root, the gateway's source and the project's files
  # -> [ { name, comment, drv } ]
  layers =
    {
      lock,
      pins,
      root,
      gateway,
      files,
      # Whether programs of the image can run on the machine that builds.
      native,
    }:
    let
      venv = {
        prefix = "opt/venv";
        inherit (lock) python;
      };
      layer = mkLayer venv;

      # The gateway's packages are those of a release of pycomfy. They have an environment of their own: whatever the
      # workflow's are, neither sees the other's.
      gatewayVenv = {
        prefix = "opt/gateway";
        inherit (lock) python;
      };
      gatewayWheels =
        pins.gateway
          or (throw "pycomfy.lock: there are no packages for the gateway: `pycomfy lock` adds those of your pycomfy");

      bySize = builtins.sort (a: b: a.size > b.size || (a.size == b.size && a.name < b.name)) pins.wheels;
      large = take mostWheelLayers (builtins.filter (w: w.size >= largeWheel) bySize);
      isLarge = w: builtins.any (l: l.name == w.name) large;
      small = builtins.filter (w: !isLarge w) pins.wheels;

      skeleton = {
        kind = "literal";
        owner = "pycomfy";
        inherit (skeletons) members;
      };
      skeletons = import ./skeleton.nix { inherit (lock) python; };
      comfyui = treeInput {
        name = "ComfyUI";
        owner = "ComfyUI";
        inherit (lock.comfyui) source;
        prefix = "opt/ComfyUI";
      };

      # A pack as its source has it, or as its steps make it of that.
      packInput =
        p:
        let
          prefix = "opt/ComfyUI/custom_nodes/${p.name}";
          owner = "node pack ${p.name}";
          plain = treeInput {
            inherit (p) name source;
            inherit owner prefix;
          };
        in
        if (p.steps or [ ]) == [ ] then
          plain
        else
          {
            kind = "tree";
            inherit owner prefix;
            path = stepped p plain prefix;
          };
      stepped =
        p: plain: prefix:
        if !native then
          throw "pycomfy.lock: the node pack ${p.name} has build steps: build it on a machine of the image's own platform"
        else
          runPython {
            name = "pack-${p.name}";
            script = "run_steps.py";
            spec = {
              inherit (p) name steps;
              inherit venv root prefix;
              pack = plain;
              around = [
                skeleton
                comfyui
              ]
              ++ map wheelInput pins.wheels;
            };
          };
      ownPacks = take mostPackLayers lock.packs;
      otherPacks = drop mostPackLayers lock.packs;

      some = list: value: if list == [ ] then [ ] else [ value ];
    in
    [
      (layer {
        name = "root";
        comment = "Debian ${pins.root.suite}, ${toString (builtins.length pins.root.packages)} packages";
        inputs = [
          {
            kind = "tree";
            owner = "Debian";
            path = root;
            prefix = "";
          }
        ];
      })
      (layer {
        name = "venv";
        comment = "virtual environment and data folders";
        inputs = [ skeleton ];
      })
    ]
    ++ map (
      w:
      layer {
        inherit (w) name size;
        comment = "${w.name} ${w.version}";
        inputs = [ (wheelInput w) ];
      }
    ) large
    ++ some small (layer {
      name = "wheels";
      comment = "${toString (builtins.length small)} wheels";
      # Their bytecode, not their size, is what takes time: start early.
      size = 512 * mib + sum (map (w: w.size) small);
      inputs = map wheelInput small;
    })
    ++ [
      (layer {
        name = "comfyui";
        comment = "ComfyUI ${lock.comfyui.version}";
        inputs = [ comfyui ];
      })
    ]
    ++ map (
      p:
      layer {
        name = "pack-${p.name}";
        comment = "node pack ${p.name}";
        inputs = [ (packInput p) ];
      }
    ) ownPacks
    ++ some otherPacks (layer {
      name = "packs";
      comment = "${toString (builtins.length otherPacks)} more node packs";
      inputs = map packInput otherPacks;
    })
    ++ [
      (mkLayer gatewayVenv {
        name = "gateway";
        comment = "the gateway, ${toString (builtins.length gatewayWheels)} wheels";
        inputs = [
          {
            kind = "literal";
            owner = "pycomfy";
            members = skeletons.environment gatewayVenv.prefix;
          }
        ]
        ++ map wheelInput gatewayWheels
        ++ [ gateway ];
      })
      (layer {
        name = "workflow";
        comment = "workflow ${lock.name}";
        inputs = files;
      })
    ];
}
