"""The offline suite `mini`: lm-eval task files, their generated documents, and the functions that the files name."""
