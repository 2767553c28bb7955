# What `nix run` starts. It needs an engine on PATH, and neither pycomfy nor nixpkgs.
{
  runPython,
  interpreter, # the words that start Python
}:
let
  image = builtins.path {
    name = "image.py";
    path = ./programs/image.py;
  };
  tars = builtins.path {
    name = "image_tar.py";
    path = ./builders/image_tar.py;
  };
in
{
  # lock, its image -> { load, run }, each a file that can be run
  of =
    { lock, layout }:
    let
      program =
        action:
        runPython {
          name = "${action}-${lock.name}";
          script = "program.py";
          spec.command = interpreter ++ [
            "-I"
            "-B"
            image
            tars
            layout
            lock.name
            action
          ];
        };
    in
    {
      load = program "load";
      run = program "run";
    };
}
