"""Making the primer: the adapter that ships, trained on permissively licensed code of many projects."""
