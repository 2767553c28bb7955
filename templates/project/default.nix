# The project without flakes: nix-build -A oci
{ ... }@arguments: import ./nix ({ project = ./.; } // arguments)
