# The folders and links that no package brings: the virtual environment and the only writable places.
{ python }:
let
  user = 1000;
  owned = path: {
    inherit path;
    uid = user;
    gid = user;
  };
in
[
  {
    path = "opt/venv/pyvenv.cfg";
    text = ''
      home = /usr/bin
      include-system-site-packages = false
      version = ${python}
    '';
  }
  {
    path = "opt/venv/bin/python";
    target = "/usr/bin/python${python}";
  }
  {
    path = "opt/venv/bin/python3";
    target = "python";
  }
  {
    path = "opt/venv/bin/python${python}";
    target = "python";
  }
  {
    path = "opt/venv/lib64";
    target = "lib";
  }
  { path = "models"; }
  {
    path = "tmp";
    mode = "1777";
  }
  {
    path = "var/tmp";
    mode = "1777";
  }
]
++ map owned [
  "data"
  "data/input"
  "data/output"
  "data/user"
]
