# Wheels: fetched, or built from their source where the index has none.
{
  fetch,
  roots,
  python, # "3.11"
  # A machine is { platform, pins, runPython }: one builds, wheels that only another runs are built for that.
  host,
  target ? host,
}:
let
  # A wheel for every platform is built here, with packages of this machine: its own lock says how.
  forAll = w: builtins.match ".*-none-any\\.whl" w.filename != null;
  own = builtins.listToAttrs (
    map (w: {
      name = w.sha256;
      value = w;
    }) (builtins.filter (w: w ? built) (host.pins.wheels or [ ]))
  );
  machineOf = w: if forAll w then host else target;
  recipeOf = w: if forAll w then own.${w.sha256} or w else w;

  # The Debian that a build sees: that of the image, or the one with compilers.
  rootOf =
    machine: compiler:
    if compiler then
      roots.compilers machine.platform machine.pins.compilers
    else
      roots.tree machine.platform machine.pins.root;

  # One name for it, whatever the package turns out to be called: pycomfy puts trees into the store.
  sourceOf =
    source:
    fetch.source (
      if source.kind == "git" then "source-${builtins.substring 0 12 source.commit}" else source.name
    ) source;
in
rec {
  # { name, version, built } and its machine -> a folder with the wheel. Not fixed by a hash: hence without a network.
  build =
    machine:
    { name, built, ... }:
    machine.runPython {
      name = "wheel-${name}";
      script = "build_wheel.py";
      spec = {
        inherit name python;
        root = rootOf machine (built.compiler or false);
        source = {
          inherit (built.source) kind;
          path = sourceOf built.source;
        };
        subdirectory = built.subdirectory or null;
        requires = map fetch.wheel built.requires;
      };
    };

  # A wheel of the lock -> the file. One that was built is fixed by its hash too, so that a binary cache can stand in.
  wheel =
    w:
    if w ? built then
      host.runPython {
        name = w.filename;
        script = "copy_wheel.py";
        spec = {
          name = "${w.name} ${w.version}";
          wheel = "${build (machineOf w) (recipeOf w)}/${w.filename}";
          inherit (w) sha256;
        };
        file = w.sha256;
      }
    else
      fetch.wheel w;

  # What a wheel of the lock is built from, on this machine.
  ingredients =
    w:
    if w ? built then
      [ (sourceOf w.built.source) ]
      ++ map fetch.wheel (recipeOf w).built.requires
      ++ (
        if w.built.compiler or false then
          [ (rootOf (machineOf w) true) ] ++ roots.ingredients (machineOf w).pins.compilers
        else
          [ ]
      )
    else
      [ ];
}
