# The layers of an image, bottom first: which there are and in which order is said by order.nix.
{
  runPython,
  fetch,
  wheels,
}:
let
  mib = 1024 * 1024;

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

  sum = builtins.foldl' builtins.add 0;

  # { name, comment, venv, inputs } -> { name, comment, drv }
  mkLayer =
    {
      name,
      comment,
      venv,
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

      # The gateway's packages are those of a release of pycomfy. They have an environment of their own: whatever the
      # workflow's are, neither sees the other's.
      gatewayVenv = {
        prefix = "opt/gateway";
        inherit (lock) python;
      };
      gatewayWheels =
        pins.gateway
          or (throw "pycomfy.lock: there are no packages for the gateway: `pycomfy lock` adds those of your pycomfy");

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

      # What the layers hold that every image has.
      everywhere = {
        root = {
          comment = "Debian ${pins.root.suite}, ${toString (builtins.length pins.root.packages)} packages";
          inputs = [
            {
              kind = "tree";
              owner = "Debian";
              path = root;
              prefix = "";
            }
          ];
        };
        venv = {
          comment = "virtual environment and data folders";
          inputs = [ skeleton ];
        };
        gateway = {
          comment = "the gateway, ${toString (builtins.length gatewayWheels)} wheels";
          venv = gatewayVenv;
          inputs = [
            {
              kind = "literal";
              owner = "pycomfy";
              members = skeletons.environment gatewayVenv.prefix;
            }
          ]
          ++ map wheelInput gatewayWheels
          ++ [ gateway ];
        };
        comfyui = {
          comment = "ComfyUI ${lock.comfyui.version}";
          inputs = [ comfyui ];
        };
        workflow = {
          comment = "workflow ${lock.name}";
          inputs = files;
        };
      };

      # One is named, several are counted.
      list =
        names: kind:
        if builtins.length names == 1 then
          builtins.head names
        else
          "${toString (builtins.length names)} ${kind}";
      contents =
        {
          name,
          wheels ? [ ],
          packs ? [ ],
        }:
        if wheels != [ ] then
          {
            comment = list (map (w: "${w.name} ${w.version}") wheels) "wheels";
            size = sum (map (w: w.size) wheels);
            inputs = map wheelInput wheels;
          }
        else if packs != [ ] then
          {
            comment = list (map (p: "node pack ${p.name}") packs) "node packs";
            inputs = map packInput packs;
          }
        else
          everywhere.${name};
    in
    map (l: mkLayer ({ inherit venv; } // contents l // { inherit (l) name; })) (
      import ./order.nix {
        inherit (pins) wheels;
        inherit (lock) packs;
      }
    );
}
