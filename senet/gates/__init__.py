"""What the gates of SE blocks do over photos: the role of excitation (paper, section 7.2)."""
