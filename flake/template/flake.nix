{
  description = "A ComfyUI workflow whose image `nix build` makes";

  # Where pycomfy is: its address here, or `nix registry add pycomfy ADDRESS`.
  inputs.pycomfy.url = "flake:pycomfy";

  outputs =
    { self, pycomfy }:
    let
      image =
        system:
        pycomfy.lib.image {
          project = ./.;
          workflow = "workflow.json";
          inherit system;
        };
      forSystems =
        f:
        builtins.listToAttrs (
          map (system: {
            name = system;
            value = f system;
          }) systems
        );
      # An image is built on a machine whose platform is in the lock, too.
      systems = [ "x86_64-linux" ];
    in
    {
      packages = forSystems (system: {
        default = (image system).oci;
      });

      apps = forSystems (
        system:
        builtins.mapAttrs (_: program: {
          type = "app";
          program = "${program}";
        }) (image system).programs
        // {
          # `nix run .#pycomfy -- lock`
          pycomfy = pycomfy.apps.${system}.default;
        }
      );
    };
}
