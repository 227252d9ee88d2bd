// ONNX Runtime's sessions take all the threads that they are given; one test at a time is as fast and steadier.
[assembly: CollectionBehavior(DisableTestParallelization = true)]
