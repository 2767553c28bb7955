# The command line: wheels of the versions in uv.lock, which a release is tested with, in an environment of nixpkgs'
# Python; with the pages of the studio and of the app.
#
#   pkgs.callPackage ./flake/package.nix { }
{
  lib,
  stdenv,
  fetchurl,
  autoPatchelfHook,
  buildNpmPackage,
  importNpmLock,
  python313,
  git,
  gnupg,
  nix,
  skopeo,
}:
let
  # Made by scripts/flake_wheels.py.
  pins = builtins.fromJSON (builtins.readFile ./wheels.json);
  project = (builtins.fromTOML (builtins.readFile ../pyproject.toml)).project;
  system = stdenv.hostPlatform.system;
  wheels = map fetchurl (
    pins.wheels.${system}
      or (throw "pycomfy: there is a package for ${toString (builtins.attrNames pins.wheels)}, not for ${system}")
  );

  # The app's page is in the repository, as it is a part of every image.
  studio = import ./studio.nix {
    inherit buildNpmPackage importNpmLock;
    inherit (project) version;
  };

  # What the package has of the repository: a change to a test builds nothing again.
  source = builtins.path {
    name = "pycomfy-source";
    path = ../.;
    filter =
      path: type:
      let
        inside = builtins.substring (builtins.stringLength (toString ../.) + 1) (-1) path;
        top = builtins.head (builtins.split "/" inside);
      in
      builtins.elem top [
        "examples"
        "nix"
        "pycomfy"
        "pyproject.toml"
        "templates"
      ]
      && builtins.match "__pycache__|.*\\.pyc" (baseNameOf path) == null;
  };
in
stdenv.mkDerivation {
  pname = project.name;
  inherit (project) version;
  src = source;

  # Wheels are built for any Linux: their libraries are found where Nix has them.
  nativeBuildInputs = [ autoPatchelfHook ];
  buildInputs = [ stdenv.cc.cc.lib ];

  dontConfigure = true;
  dontBuild = true;
  installPhase = ''
    runHook preInstall
    rm -rf pycomfy/server/static
    mkdir pycomfy/server/static
    cp -r ${studio} pycomfy/server/static/studio
    ${python313}/bin/python3.13 -I -B ${./install.py} $out . ${
      lib.makeBinPath [
        git
        gnupg
        nix
        skopeo
      ]
    } ${toString wheels}
    $out/bin/python -I -m compileall -q --invalidation-mode unchecked-hash $out/lib
    runHook postInstall
  '';
  doInstallCheck = true;
  installCheckPhase = ''
    HOME=$TMPDIR $out/bin/pycomfy --version
    $out/bin/python -I -c 'from pycomfy.server.studio_files import check_studio; check_studio()'
  '';

  passthru = { inherit wheels studio; };
  meta = {
    inherit (project) description;
    license = lib.licenses.mit;
    mainProgram = "pycomfy";
    platforms = builtins.attrNames pins.wheels;
  };
}
