// Live native objects are counted for the whole process, and threads are few.
[assembly: CollectionBehavior(DisableTestParallelization = true)]
