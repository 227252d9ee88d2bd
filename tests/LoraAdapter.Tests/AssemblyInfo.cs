// Live tensors are counted for the whole process, and threads are few.
[assembly: CollectionBehavior(DisableTestParallelization = true)]
