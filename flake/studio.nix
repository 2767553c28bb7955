# The studio's page, which `scripts/web.sh build` makes in a checkout, made of `web/` with nixpkgs' Node.js. Its packages
# are those of package-lock.json, by their hashes.
{
  buildNpmPackage,
  importNpmLock,
  version,
}:
let
  lock = builtins.fromJSON (builtins.readFile ../web/package-lock.json);

  # The lock has no addresses: each package is where npm has it by its name. One within another has no hash of its own.
  withAddress =
    path: one:
    let
      name = builtins.elemAt (builtins.match "(.*/)?node_modules/((@[^/]+/)?[^/]+)" path) 1;
      file = "${baseNameOf name}-${one.version}.tgz";
    in
    if one ? integrity then one // { resolved = "https://registry.npmjs.org/${name}/-/${file}"; } else one;
in
buildNpmPackage {
  pname = "pycomfy-studio";
  inherit version;
  src = builtins.path {
    name = "web";
    path = ../web;
    filter = path: type: baseNameOf path != "node_modules";
  };
  npmDeps = importNpmLock {
    package = builtins.fromJSON (builtins.readFile ../web/package.json);
    packageLock = lock // {
      packages = builtins.mapAttrs withAddress lock.packages;
    };
  };
  npmConfigHook = importNpmLock.npmConfigHook;
  # Vite writes it into the folder beside web/ where it is in the repository.
  installPhase = ''
    runHook preInstall
    cp -r ../pycomfy/server/static/studio $out
    runHook postInstall
  '';
}
