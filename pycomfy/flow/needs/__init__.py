"""What a workflow needs: node types and who provides them, model files, input files."""
