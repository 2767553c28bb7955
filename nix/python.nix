# Runs the builders: a plain derivation whose interpreter is the Python of the pinned Debian root.
# No stdenv, no shell, no nixpkgs; works in the sandbox of every Nix from 2.8.
{
  root, # the Debian root of the machine that builds
  platform, # its name, "linux/amd64"
  python, # "3.11"
}:
let
  machines = import ./machines.nix;
  machine = machines.${platform};
  libraries = "${root}/usr/lib/${machine.triple}";
  loader = "${libraries}/${machine.loader}";
  python' = "${root}/usr/bin/python${python}";
  builders = builtins.path {
    name = "pycomfy-builders";
    path = ./builders;
    # A change to a test, or a file that Python left behind, must not rebuild anything.
    filter = path: type: type == "regular" && builtins.match ".*/(test_[^/]*|conftest\\.py|[^/]*\\.pyc)" path == null;
  };

  # A builder that looks for bytecode of modules below `cache`.
  start = cache: script: {
    inherit (machine) system;
    # `lib64/ld-linux…` is an absolute symlink, hence the loader's real place.
    builder = loader;
    args = [
      "--library-path"
      libraries
      python'
      # Not -I: the builders are modules that import one another from the script's folder.
      "-E"
      "-s"
      "-S"
      "-B"
      "-X"
      "pycache_prefix=${cache}"
      "${builders}/${script}"
    ];
  };

  # Debian's Python compiles its library at each start, which takes longer than many a layer.
  bytecode = derivation (
    { name = "builders-bytecode"; } // start (builtins.placeholder "out") "precompile.py"
  );
in
{
  inherit machines machine;

  # The words that start this Python, on any Linux.
  interpreter = [
    loader
    "--library-path"
    libraries
    python'
  ];

  # Run SCRIPT with SPEC (any JSON) in `specPath`; it writes `out`.
  # With `fixed`, an SRI hash, the output is fixed by it and the builder has the network; with `file`, a SHA-256 in
  # hexadecimal, it is one file that has this.
  # Example: runPython { name = "layer-torch"; script = "layer.py"; spec = { … }; }
  runPython =
    {
      name,
      script,
      spec,
      fixed ? null,
      file ? null,
    }:
    derivation (
      {
        inherit name;
        spec = builtins.toJSON spec;
        passAsFile = [ "spec" ];
      }
      // start bytecode script
      // (
        if file != null then
          {
            outputHashMode = "flat";
            outputHashAlgo = "sha256";
            outputHash = file;
          }
        else if fixed == null then
          { }
        else
          {
            outputHashMode = "recursive";
            outputHashAlgo = "sha256";
            outputHash = fixed;
            impureEnvVars = [
              "http_proxy"
              "https_proxy"
              "no_proxy"
              "NIX_SSL_CERT_FILE"
            ];
          }
      )
    );
}
