{
  description = "pycomfy: a ComfyUI workflow becomes a pinned, bit-reproducible CUDA image";

  # The last commit that Nix 2.8 can evaluate. Images need no nixpkgs; this is for the CLI itself.
  inputs.nixpkgs.url = "github:NixOS/nixpkgs/ac62194c3917d5f474c1a844b6fd6da2db95077d";

  outputs =
    { self, nixpkgs }:
    let
      systems = [
        "x86_64-linux"
        "aarch64-linux"
      ];
      forSystems =
        f:
        builtins.listToAttrs (
          map (system: {
            name = system;
            value = f nixpkgs.legacyPackages.${system};
          }) systems
        );
      version =
        (builtins.fromTOML (builtins.readFile ./pyproject.toml)).project.version;
      runtime = pkgs: [
        pkgs.git
        pkgs.gnupg
        pkgs.nix
        pkgs.skopeo
      ];
      cli =
        pkgs:
        pkgs.python311Packages.buildPythonApplication {
          pname = "pycomfy";
          inherit version;
          src = ./.;
          pyproject = true;
          build-system = [ pkgs.python311Packages.hatchling ];
          dependencies = builtins.attrValues {
            inherit (pkgs.python311Packages)
              aiohttp
              blake3
              fastapi
              gitpython
              httpx
              jinja2
              packaging
              platformdirs
              prometheus-client
              pydantic
              python-multipart
              pyyaml
              rich
              sqlite-utils
              standardwebhooks
              tomlkit
              typer
              uv
              uvicorn
              zstandard
              ;
          };
          # nixpkgs' versions, not those of uv.lock.
          pythonRelaxDeps = true;
          makeWrapperArgs = [ "--suffix PATH : ${pkgs.lib.makeBinPath (runtime pkgs)}" ];
          pythonImportsCheck = [ "pycomfy.cli.main" ];
          doCheck = false; # `checks` runs them
          meta = {
            mainProgram = "pycomfy";
            license = pkgs.lib.licenses.mit;
          };
        };
    in
    {
      packages = forSystems (pkgs: {
        default = cli pkgs;
        pycomfy = cli pkgs;
      });

      apps = forSystems (pkgs: {
        default = {
          type = "app";
          program = "${cli pkgs}/bin/pycomfy";
        };
      });

      devShells = forSystems (pkgs: {
        default = pkgs.mkShell {
          packages = runtime pkgs ++ [
            pkgs.gnumake
            pkgs.podman
            pkgs.python311
            pkgs.uv
          ];
        };
      });

      checks = forSystems (pkgs: {
        package = cli pkgs;
        # The builders need nothing but Python; their tests pack one package with zstandard.
        builders =
          pkgs.runCommand "pycomfy-builders-tests"
            { nativeBuildInputs = [ (pkgs.python311.withPackages (p: [ p.zstandard ])) ]; }
            ''
              cp -r ${./nix/builders} builders
              cd builders
              python -m unittest discover
              touch $out
            '';
      });

      # lock -> image, for other flakes: (pycomfy.lib.image { project = ./.; inherit system; }).oci
      lib.image = import ./nix;
    };
}
