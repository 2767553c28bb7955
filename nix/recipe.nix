# A wheel before it is in a lock: built from recipe.json beside this folder, to learn its hash.
#
# recipe.json: { platform, python, pins: { root, compilers? }, name, version, built }
{
  platform, # of the machine that builds
}:
let
  recipe = builtins.fromJSON (builtins.readFile ../recipe.json);
  fetch = import ./fetch.nix {
    project = ../.;
    inherit (machine) runPython;
  };
  roots = import ./root.nix {
    inherit fetch;
    inherit (recipe) python;
    host = {
      inherit (recipe) platform;
      inherit (recipe.pins) root;
    };
  };
  machine = {
    inherit (recipe) platform pins;
    inherit
      (import ./python.nix {
        inherit (recipe) platform python;
        root = roots.tree recipe.platform recipe.pins.root;
      })
      runPython
      ;
  };
  wheels = import ./wheel.nix {
    inherit fetch roots;
    inherit (recipe) python;
    host = machine;
  };
in
{
  wheel = wheels.build machine recipe;
}
