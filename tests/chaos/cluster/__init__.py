"""The fault run of several replicas: processes, databases and wires go away; nobody may notice."""
