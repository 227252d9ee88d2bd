using AsrPlatform.Tests;

namespace AsrPlatform.OnnxRuntime.Tests.Sessions;

/// <summary>Failures carry the runtime's own message, and leave nothing behind.</summary>
public sealed class ErrorTests
{
    [Fact]
    public void File_ThatIsMissing_IsNamed()
    {
        using var folder = new TemporaryFolder();
        var path = Path.Combine(folder.Root, "none", "weiß.onnx");
        var error = Assert.Throws<OnnxRuntimeException>(() => new InferenceSession(path));
        Assert.StartsWith("[ErrorCode:NoSuchFile] ", error.Message, StringComparison.Ordinal);
        Assert.Contains(path, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Path_OfOtherAlphabets_IsRead()
    {
        using var folder = new TemporaryFolder();
        var path = Path.Combine(folder.Root, "модель-模型.onnx");
        File.WriteAllBytes(path, Graph.AddOne().ToModel());
        using var session = new InferenceSession(path);
        Assert.Equal(["x"], session.InputNames);
    }

    [Theory]
    [InlineData("this is no model")]
    [InlineData("")]
    public void File_ThatIsNoModel_IsRefused(string content)
    {
        using var folder = new TemporaryFolder();
        var path = Path.Combine(folder.Root, "model.onnx");
        File.WriteAllText(path, content);
        Assert.StartsWith("[ErrorCode:", Assert.Throws<OnnxRuntimeException>(() => new InferenceSession(path)).Message, StringComparison.Ordinal);
        Assert.StartsWith("[ErrorCode:", Assert.Throws<OnnxRuntimeException>(() => new InferenceSession(File.ReadAllBytes(path))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Model_ThatIsCutShort_IsRefused()
    {
        var model = Graph.AddOne().ToModel();
        for (var length = 1; length < model.Length; length += 7)
        {
            Assert.Throws<OnnxRuntimeException>(() => new InferenceSession(model[..length]));
        }
    }

    [Fact]
    public void Node_OfAnUnknownOperation_IsNamed()
    {
        var model = new Graph().Node("Frobnicate", ["x"], "y").Input("x", TensorElementType.Float, 1L).Output("y", TensorElementType.Float, 1L).ToModel();
        Assert.Contains("Frobnicate", Assert.Throws<OnnxRuntimeException>(() => new InferenceSession(model)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Null_AsAnyArgument_IsRefusedBeforeTheRuntimeSeesIt()
    {
        Assert.Throws<ArgumentNullException>(() => new InferenceSession((string)null!));
        Assert.Throws<ArgumentNullException>(() => new InferenceSession((byte[])null!));
        using var session = new InferenceSession(Graph.AddOne().ToModel());
        using var run = new RunOptions();
        using var x = OrtValue.CreateTensorValueFromMemory(new float[3], [1, 3]);
        Assert.Throws<ArgumentNullException>(() => session.Run(null!, ["x"], [x], ["y"]));
        Assert.Throws<ArgumentNullException>(() => session.Run(run, ["x"], [null!], ["y"]));
        Assert.Throws<ArgumentNullException>(() => session.Run(run, null!, [x], ["y"]));
        Assert.Throws<ArgumentNullException>(() => session.RunWithBinding(run, null!));
        Assert.Throws<ArgumentNullException>(() => OrtValue.CreateTensorValueFromMemory(new float[3], null!));
        using var options = new SessionOptions();
        Assert.Throws<ArgumentNullException>(() => options.AddSessionConfigEntry(null!, "1"));
    }

    [Fact]
    public void Operators_OfALibraryThatIsNotThere_AreRefusedByItsName()
    {
        using var options = new SessionOptions();
        Assert.Contains("missing-operators.so", Assert.Throws<OnnxRuntimeException>(() => options.RegisterCustomOpLibraryV2("missing-operators.so", out _)).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentNullException>(() => options.RegisterCustomOpLibraryV2(null!, out _));
    }

    [Fact]
    public void Names_ThatTheModelDoesNotHave_AreNamedWithThoseThatItHas()
    {
        using var session = new InferenceSession(Graph.AddOne().ToModel());
        using var run = new RunOptions();
        using var x = OrtValue.CreateTensorValueFromMemory(new float[3], [1, 3]);
        Assert.Contains("no input 'X'; it has x", Assert.Throws<OnnxRuntimeException>(() => session.Run(run, ["X"], [x], ["y"])).Message, StringComparison.Ordinal);
        Assert.Contains("no output 'Y'; it has y", Assert.Throws<OnnxRuntimeException>(() => session.Run(run, ["x"], [x], ["Y"])).Message, StringComparison.Ordinal);
        using var binding = session.CreateIoBinding();
        Assert.Contains("no input 'X'; it has x", Assert.Throws<OnnxRuntimeException>(() => binding.BindInput("X", x)).Message, StringComparison.Ordinal);
        Assert.Contains("no output 'Y'; it has y", Assert.Throws<OnnxRuntimeException>(() => binding.BindOutput("Y", x)).Message, StringComparison.Ordinal);
        Assert.Throws<OnnxRuntimeException>(() => binding.BindOutputToDevice("Y", OrtMemoryInfo.DefaultInstance));
        Assert.Throws<ArgumentException>(() => session.Run(run, ["x", "x"], [x], ["y"]));
        Assert.Throws<ArgumentException>(() => session.Run(run, ["x"], [x], ["y"], []));
        Assert.Throws<OnnxRuntimeException>(() => session.Run(run, [], [], ["y"]));
    }

    [Fact]
    public void Input_OfAnotherShapeOrType_IsRefusedByName()
    {
        using var session = new InferenceSession(Graph.AddOne().ToModel());
        using var run = new RunOptions();
        using var wide = OrtValue.CreateTensorValueFromMemory(new float[4], [1, 4]);
        using var flat = OrtValue.CreateTensorValueFromMemory(new float[3], [3]);
        using var integers = OrtValue.CreateTensorValueFromMemory(new long[3], [1, 3]);
        foreach (var wrong in (OrtValue[])[wide, flat, integers])
        {
            Assert.Contains("x", Assert.Throws<OnnxRuntimeException>(() => session.Run(run, ["x"], [wrong], ["y"])).Message, StringComparison.Ordinal);
        }
        using var x = OrtValue.CreateTensorValueFromMemory(new float[3], [1, 3]);
        Assert.Throws<OnnxRuntimeException>(() => session.Run(run, ["x"], [x], ["y"], [wide]));
    }

    [Fact]
    public void Provider_ThatThisBuildLacks_IsRefused()
    {
        Assert.Contains("CPUExecutionProvider", OrtEnv.Instance().GetAvailableProviders());
        using var options = new SessionOptions();
        Assert.Contains("Nonsense", Assert.Throws<OnnxRuntimeException>(() => options.AppendExecutionProvider("Nonsense")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Cuda_WhereItIsMissing_IsRefusedWithTheReason()
    {
        using var options = new SessionOptions();
        try
        {
            options.AppendExecutionProvider_CUDA();
        }
        catch (OnnxRuntimeException e)
        {
            // Either the build lacks the provider, or the provider's library and those of CUDA are not on the machine.
            Assert.Matches("(?i)cuda|onnxruntime_providers", e.Message);
            return;
        }
        using var session = new InferenceSession(Graph.AddOne().ToModel(), options);
        Assert.Equal(["x"], session.InputNames);
    }

    [Fact]
    public void Objects_ThatWereDisposedOf_AreRefused()
    {
        using var run = new RunOptions();
        var x = OrtValue.CreateTensorValueFromMemory(new float[3], [1, 3]);
        var session = new InferenceSession(Graph.AddOne().ToModel());
        using var binding = session.CreateIoBinding();
        x.Dispose();
        Assert.Throws<ObjectDisposedException>(() => session.Run(run, ["x"], [x], ["y"]));
        Assert.Throws<ObjectDisposedException>(() => x.GetTensorDataAsSpan<float>().Length);
        Assert.Throws<ObjectDisposedException>(() => binding.BindInput("x", x));
        using var y = OrtValue.CreateTensorValueFromMemory(new float[3], [1, 3]);
        session.Dispose();
        Assert.Throws<ObjectDisposedException>(() => session.Run(run, ["x"], [y], ["y"]));
        Assert.Throws<ObjectDisposedException>(() => session.RunWithBinding(run, binding));
        Assert.Throws<ObjectDisposedException>(() => session.ModelMetadata);
        using var options = new SessionOptions();
        options.Dispose();
        Assert.Throws<ObjectDisposedException>(() => options.IntraOpNumThreads = 1);
        Assert.Throws<ObjectDisposedException>(() => new InferenceSession(Graph.AddOne().ToModel(), options));
    }
}
