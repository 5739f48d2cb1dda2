"""What several tests share: documents, clips, servers, children, checkpoints."""
