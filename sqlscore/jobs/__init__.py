"""Jobs and their runs: started, resumed, held by a lease, recorded range by range."""
