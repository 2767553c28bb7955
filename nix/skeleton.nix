# The folders and links that no package brings: the virtual environments and the only writable places.
{ python }:
let
  # An empty virtual environment at this place, with the image's Python.
  environment = prefix: [
    {
      path = "${prefix}/pyvenv.cfg";
      text = ''
        home = /usr/bin
        include-system-site-packages = false
        version = ${python}
      '';
    }
    {
      path = "${prefix}/bin/python";
      target = "/usr/bin/python${python}";
    }
    {
      path = "${prefix}/bin/python3";
      target = "python";
    }
    {
      path = "${prefix}/bin/python${python}";
      target = "python";
    }
    {
      path = "${prefix}/lib64";
      target = "lib";
    }
  ];

  user = 1000;
  owned = path: {
    inherit path;
    uid = user;
    gid = user;
  };
in
{
  inherit environment;

  # What the layer `venv` has: the workflow's environment, and the folders.
  members =
    environment "opt/venv"
    ++ [
      { path = "models"; }
      {
        path = "tmp";
        mode = "1777";
      }
      {
        path = "var/tmp";
        mode = "1777";
      }
      # Engines mount over these. A rootless one could not make them: the folder belongs to nobody there.
      {
        path = "etc/hosts";
        text = "";
      }
      {
        path = "etc/resolv.conf";
        text = "";
      }
      {
        path = "etc/mtab";
        target = "/proc/mounts";
      }
    ]
    ++ map owned [
      "data"
      "data/input"
      "data/output"
      "data/user"
    ];
}
