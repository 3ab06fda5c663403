"""What the roof composes by: no rule and no money."""
