"""Which node pack a workflow means by each node type it uses; nothing is guessed."""
