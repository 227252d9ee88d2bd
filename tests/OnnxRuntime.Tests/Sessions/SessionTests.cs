using AsrPlatform.Tests;

namespace AsrPlatform.OnnxRuntime.Tests.Sessions;

public sealed class SessionTests
{
    [Fact]
    public void Metadata_OfTheModel_IsRead()
    {
        using var session = new InferenceSession(Graph.AddOne().Metadata("layout", "fast").Metadata("größe", "пять").ToModel());
        var model = session.ModelMetadata;
        Assert.Equal("tests", model.ProducerName);
        Assert.Equal("small", model.GraphName);
        Assert.Equal("asr.tests", model.Domain);
        Assert.Equal("A model of the tests", model.Description);
        Assert.Equal("A graph of the tests", model.GraphDescription);
        Assert.Equal(7, model.Version);
        Assert.Equal(new Dictionary<string, string> { ["layout"] = "fast", ["größe"] = "пять" }, model.CustomMetadataMap);
        var node = session.InputMetadata["x"];
        Assert.Equal([-1, 3], node.Dimensions);
        Assert.Equal(["n", ""], node.SymbolicDimensions);
        Assert.Equal(typeof(float), node.ElementType);
        Assert.True(node.IsTensor);
    }

    [Fact]
    public void Run_OfAFewRows_GivesTheirSums()
    {
        using var session = new InferenceSession(Graph.AddOne().ToModel());
        using var run = new RunOptions();
        using var x = OrtValue.CreateTensorValueFromMemory([1f, 2, 3, 4, 5, 6], [2, 3]);
        using var results = session.Run(run, ["x"], [x], ["y"]);
        Assert.Equal([2f, 3, 4, 5, 6, 7], results[0].GetTensorDataAsSpan<float>());
        using var y = OrtValue.CreateTensorValueFromMemory(new float[6], [2, 3]);
        session.Run(run, ["x"], [x], ["y"], [y]);
        Assert.Equal([2f, 3, 4, 5, 6, 7], y.GetTensorDataAsSpan<float>());
        using var nothing = OrtValue.CreateTensorValueFromMemory(Array.Empty<float>(), [0, 3]);
        using var empty = session.Run(run, ["x"], [nothing], ["y"]);
        Assert.Equal([0, 3], empty[0].GetTensorTypeAndShape().Shape);
        Assert.Equal(0, empty[0].GetTensorDataAsSpan<float>().Length);
    }

    [Fact]
    public void FreeDimension_ThatIsFixed_AppearsInTheMetadata()
    {
        using var options = new SessionOptions();
        options.AddFreeDimensionOverrideByName("n", 5);
        using var session = new InferenceSession(Graph.AddOne().ToModel(), options);
        Assert.Equal([5, 3], session.InputMetadata["x"].Dimensions);
    }

    [Fact]
    public void Options_ThatAreSet_ReachTheSession()
    {
        using var folder = new TemporaryFolder();
        var optimized = Path.Combine(folder.Root, "optimized.onnx");
        using var options = new SessionOptions
        {
            GraphOptimizationLevel = GraphOptimizationLevel.ORT_ENABLE_BASIC,
            ExecutionMode = ExecutionMode.ORT_PARALLEL,
            IntraOpNumThreads = 1,
            InterOpNumThreads = 2,
            EnableCpuMemArena = false,
            EnableMemoryPattern = false,
            LogId = "tests",
            LogSeverityLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_ERROR,
            LogVerbosityLevel = 1,
            OptimizedModelFilePath = optimized,
            ProfileOutputPathPrefix = Path.Combine(folder.Root, "profile"),
            EnableProfiling = true,
        };
        options.AddSessionConfigEntry("session.intra_op.allow_spinning", "0");
        using var session = new InferenceSession(Graph.AddOne().ToModel(), options);
        using var run = new RunOptions { LogId = "run", LogSeverityLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_ERROR };
        run.AddRunConfigEntry("memory.enable_memory_arena_shrinkage", "");
        using var x = OrtValue.CreateTensorValueFromMemory(new float[3], [1, 3]);
        session.Run(run, ["x"], [x], ["y"]).Dispose();
        Assert.True(session.ProfilingStartTimeNs > 0);
        var profile = session.EndProfiling();
        Assert.StartsWith(options.ProfileOutputPathPrefix, profile, StringComparison.Ordinal);
        Assert.Contains("\"Add", File.ReadAllText(profile), StringComparison.Ordinal);
        using var again = new InferenceSession(optimized);
        Assert.Equal(session.InputNames, again.InputNames);
        Assert.Equal((false, false, true), (options.EnableCpuMemArena, options.EnableMemoryPattern, options.EnableProfiling));
    }

    [Fact]
    public void Initializer_OfTheCaller_ReplacesTheWeightAndIsSharedPrepacked()
    {
        const int size = 64;
        var model = new Graph()
            .Weight("w", [size, size], new float[size * size])
            .Node("MatMul", ["x", "w"], "y")
            .Input("x", TensorElementType.Float, 1L, (long)size)
            .Output("y", TensorElementType.Float, 1L, (long)size).ToModel();
        var identity = GC.AllocateArray<float>(size * size, pinned: true);
        for (var i = 0; i < size; i++)
        {
            identity[(i * size) + i] = 2;
        }
        using var weights = new PrePackedWeightsContainer();
        using var options = new SessionOptions();
        using (var weight = OrtValue.CreateTensorValueFromMemory(identity, [size, size]))
        {
            options.AddInitializer("w", weight);
        }
        InferenceSession[] sessions = [new InferenceSession(model, options, weights), new InferenceSession(model, options, weights)];
        // Sessions keep what they were made of.
        options.Dispose();
        weights.Dispose();
        using var run = new RunOptions();
        using var x = OrtValue.CreateTensorValueFromMemory([.. Enumerable.Range(0, size).Select(i => (float)i)], [1, size]);
        foreach (var session in sessions)
        {
            using var results = session.Run(run, ["x"], [x], ["y"]);
            Assert.Equal(Enumerable.Range(0, size).Select(i => 2f * i), results[0].GetTensorDataAsSpan<float>().ToArray());
            session.Dispose();
        }
    }

    [Fact]
    public void Terminate_BeforeARun_StopsIt_AndUnsetLetsItGo()
    {
        using var session = new InferenceSession(Graph.AddOne().ToModel());
        using var run = new RunOptions { Terminate = true };
        using var x = OrtValue.CreateTensorValueFromMemory(new float[3], [1, 3]);
        Assert.Contains("terminate", Assert.Throws<OnnxRuntimeException>(() => session.Run(run, ["x"], [x], ["y"])).Message, StringComparison.OrdinalIgnoreCase);
        run.Terminate = false;
        session.Run(run, ["x"], [x], ["y"]).Dispose();
    }

    [Fact]
    public async Task Terminate_InTheMiddleOfARun_EndsIt()
    {
        const int size = 512;
        const int products = 6_000;
        // The first node writes into memory that the test sees; what follows takes many seconds.
        var graph = new Graph().Weight("one", [1], [1]).Node("Add", ["x", "one"], "seen").Node("MatMul", ["seen", "x"], "m0");
        for (var i = 1; i < products; i++)
        {
            graph.Node("MatMul", [$"m{i - 1}", "x"], $"m{i}");
        }
        var model = graph.Input("x", TensorElementType.Float, (long)size, (long)size)
            .Output("seen", TensorElementType.Float, (long)size, (long)size)
            .Output($"m{products - 1}", TensorElementType.Float, (long)size, (long)size).ToModel();
        using var options = new SessionOptions { IntraOpNumThreads = 1, GraphOptimizationLevel = GraphOptimizationLevel.ORT_DISABLE_ALL };
        using var session = new InferenceSession(model, options);
        var seen = new float[size * size];
        using var x = OrtValue.CreateTensorValueFromMemory(new float[size * size], [size, size]);
        using var first = OrtValue.CreateTensorValueFromMemory(seen, [size, size]);
        using var binding = session.CreateIoBinding();
        binding.BindInput("x", x);
        binding.BindOutput("seen", first);
        binding.BindOutputToDevice($"m{products - 1}", OrtMemoryInfo.DefaultInstance);
        using var run = new RunOptions();
        var running = Task.Run(() => session.RunWithBinding(run, binding));
        while (Volatile.Read(ref seen[^1]) == 0 && !running.IsCompleted)
        {
            await Task.Yield();
        }
        Assert.False(running.IsCompleted);
        run.Terminate = true;
        Assert.Contains("terminate", (await Assert.ThrowsAsync<OnnxRuntimeException>(() => running)).Message, StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public async Task Run_OnSeveralThreads_GivesEachItsOwnResult()
    {
        using var options = new SessionOptions { IntraOpNumThreads = 1 };
        using var session = new InferenceSession(Graph.AddOne().ToModel(), options);
        using var run = new RunOptions();
        await Task.WhenAll(Enumerable.Range(0, 8).Select(worker => Task.Run(() =>
        {
            for (var i = 0; i < 500; i++)
            {
                var rows = 1 + ((worker + i) % 4);
                using var x = OrtValue.CreateTensorValueFromMemory([.. Enumerable.Repeat((float)(worker * 1000) + i, rows * 3)], [rows, 3]);
                using var results = session.Run(run, ["x"], [x], ["y"]);
                var y = results[0].GetTensorDataAsSpan<float>();
                Assert.Equal(rows * 3, y.Length);
                Assert.True(y.IndexOfAnyExcept((worker * 1000) + i + 1f) < 0);
            }
        })));
    }

    [Fact]
    public async Task Dispose_WhileOthersRun_LetsThemEnd()
    {
        using var run = new RunOptions();
        var session = new InferenceSession(Graph.AddOne().ToModel());
        using var started = new Barrier(5);
        var runs = Enumerable.Range(0, 4).Select(_ => Task.Factory.StartNew(() =>
        {
            started.SignalAndWait();
            while (true)
            {
                using var x = OrtValue.CreateTensorValueFromMemory([1f, 2, 3], [1, 3]);
                try
                {
                    using var results = session.Run(run, ["x"], [x], ["y"]);
                    Assert.Equal([2f, 3, 4], results[0].GetTensorDataAsSpan<float>());
                }
                catch (ObjectDisposedException)
                {
                    return;
                }
            }
        }, TaskCreationOptions.LongRunning)).ToList();
        started.SignalAndWait();
        session.Dispose();
        await Task.WhenAll(runs);
    }
}
