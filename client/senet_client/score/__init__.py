"""`senet-client score`: exactly one row for each input, whatever happens.

The inputs are listed once and the list is frozen; part number k of the output belongs to the k-th
stretch of the list. A part is written whole or not at all, then noted in the journal. Whoever
stops, and however, a later run does the parts that are not in the journal, and nothing else.

    command.py   the command line; composes the rest
    lock.py      who holds it may change the output
    listing.py   arguments -> inputs
    manifest.py  inputs named in CSV, JSONL and Parquet files
    braces.py    shards by their numbers; stdin.py: a list on standard input
    parquet_images.py  images that stand in a column of a Parquet file
    frozen.py    the list of inputs in a file, and its stretches
    archives.py  where members of tar archives are
    storage.py   local files and, through fsspec, remote ones
    fetch.py     one input's bytes; outages.py: whether a failure is the input's own
    reading.py   inputs read ahead, in readers.py's threads
    pace.py      how many requests to keep under way
    run.py       inputs -> rows, through the client
    rows.py      what a row holds
    formats.py   rows in CSV, JSONL and Parquet files
    output.py    parts, their commits, the finished output
    upload.py    an output that is a URL
    journal.py   what has been committed, and under which options
    progress.py  what a person or a log sees meanwhile
"""
