"""Practice: tasks that the night sets itself from the developer's code, which also says what is right."""
