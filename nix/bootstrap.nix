# Runs a builder in a store that has nothing yet: 7-Zip's own static program, from a package that Nix can fetch and
# unpack itself, takes the Python out of the Debian packages that are pinned for the root.
{
  platform, # of the machine that builds, "linux/amd64"
  python, # "3.11"
  debs, # [ { name, path } ], those of its root
}:
let
  machine = (import ./machines.nix).${platform};

  # bootstrap.json: { name, url, sha256, size, programs }; of each program the folder in the package, and its hash.
  pin = builtins.fromJSON (builtins.readFile ./bootstrap.json);
  pinned = pin.programs.${platform};
  package = derivation {
    name = "seven-zip-package";
    system = "builtin";
    builder = "builtin:unpack-channel";
    src = import <nix/fetchurl.nix> { inherit (pin) name url sha256; };
    channelName = "seven-zip";
  };
  folder = "${package}/seven-zip/${pinned.folder}";
  # The program takes itself and its licence out of the package, which is ten times as large. What comes out is fixed
  # by its hash: an archive has this, and then nothing of the above is fetched or run.
  program = derivation {
    name = "seven-zip";
    inherit (machine) system;
    builder = "${folder}/7zzs";
    args = quiet "x" ++ [
      "-o${builtins.placeholder "out"}"
      (derivation {
        name = "seven-zip.tar";
        inherit (machine) system;
        builder = "${folder}/7zzs";
        args = quiet "a" ++ [
          "-ttar"
          (builtins.placeholder "out")
          "${folder}/7zzs"
          "${folder}/License.txt"
        ];
      })
    ];
    outputHashMode = "recursive";
    outputHashAlgo = "sha256";
    outputHash = pinned.tree;
  };
  sevenZip = "${program}/7zzs";

  # Its arguments for a command that prints nothing but errors.
  quiet = command: [
    command
    "-y"
    "-bso0"
    "-bsp0"
  ];

  # `command` is 7-Zip's: x with folders, e without. It opens several `archives` at once, patterns too.
  open =
    {
      name,
      command,
      archives,
      members ? [ ],
      renamed ? false,
    }:
    derivation {
      inherit name;
      inherit (machine) system;
      builder = sevenZip;
      args = quiet command ++ [
        (if renamed then "-aou" else "-aoa")
        "-o${builtins.placeholder "out"}"
        "-an"
      ]
      ++ map (a: "-ai!${a}") archives
      ++ members;
    };

  # What a Python needs that imports modules in C: whether Debian's packages put it into /lib or /usr/lib.
  needed = map (name: "(${name})") [
    "libc6"
    "zlib1g"
    "libbz2-1\\.0"
    "liblzma5"
    "libexpat1"
    "(lib)?python${builtins.replaceStrings [ "." ] [ "\\." ] python}-(minimal|stdlib)"
  ];
  isNeeded = d: builtins.match (builtins.concatStringsSep "|" needed) d.name != null;
  folders = [
    "lib/${machine.triple}"
    "usr/lib/${machine.triple}"
  ];

  # Each `.deb` is one more archive inside; two are called alike.
  archives = open {
    name = "python-archives";
    command = "x";
    archives = map (d: "${d.path}") (builtins.filter isNeeded debs);
    renamed = true;
  };
  tree = open {
    name = "python-for-root";
    command = "x";
    archives = [ "${archives}/*.tar" ];
    members = [ "-xr!gconv" ] ++ map (folder: "./${folder}") (
      folders
      ++ [
        "usr/bin"
        "usr/lib/python${python}"
      ]
    );
  };
  # In a folder of its own, whatever its place in the packages.
  loader = open {
    name = "loader-for-root";
    command = "e";
    archives = [ "${archives}/*.tar" ];
    members = map (folder: "./${folder}/${machine.loader}") folders;
  };
in
{
  inherit program sevenZip;
  inherit (machine) system;

  # The program to start, and what comes before the script in its arguments.
  builder = "${loader}/${machine.loader}";
  arguments = [
    "--library-path"
    (builtins.concatStringsSep ":" (map (folder: "${tree}/${folder}") folders))
    "${tree}/usr/bin/python${python}"
    "-I"
    "-B"
  ];
}
