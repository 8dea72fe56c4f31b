"""What a user writes: streams, entities, views, services."""
