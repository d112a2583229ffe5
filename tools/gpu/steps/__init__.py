"""The steps, in order of value; each can be run alone and writes its report as it goes."""
