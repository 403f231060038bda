"""What tests share: small models, landings, servers, processes. Tests import from here, never from each other."""
