using System.Diagnostics;
using AsrPlatform.OnnxRuntime.Diagnostics;
using AsrPlatform.Tests;

namespace AsrPlatform.OnnxRuntime.Tests.Runtime;

public sealed class LibraryTests
{
    [Fact]
    public void Library_BesideTheAssembly_IsFound()
    {
        Assert.True(OnnxRuntimeLibrary.TryLoad(out var problem), problem);
        Assert.True(File.Exists(OnnxRuntimeLibrary.Path));
        Assert.True(Version.Parse(OnnxRuntimeLibrary.Version) >= new Version(1, 22));
        Assert.Equal(OnnxRuntimeLibrary.Version, OrtEnv.Instance().GetVersionString());
        Assert.True(OrtEnv.IsCreated);
    }

    [Theory]
    [InlineData("/nowhere", "was not found in /nowhere: eng/onnxruntime.sh")]
    [InlineData("text", "does not load as ONNX Runtime")]
    [InlineData("shim", "does not load as ONNX Runtime")]
    public void LibraryOfTheUser_ThatIsNone_IsAClearError_InAProcessOfItsOwn(string given, string message)
    {
        using var folder = new TemporaryFolder();
        Assert.Contains(message, OutputOf("PrintFailureOfLoading", given switch
        {
            "text" => folder.Write("libonnxruntime.so.1", "this is no library"),
            // A library, but another one.
            "shim" => Path.Combine(AppContext.BaseDirectory, "native", "libasrtorch.so"),
            _ => given,
        }), StringComparison.Ordinal);
    }

    [Fact]
    public void LibraryOfTheUser_ByFileOrFolder_IsLoaded_InAProcessOfItsOwn()
    {
        using var folder = new TemporaryFolder();
        var copy = folder.File("libonnxruntime.so");
        File.CreateSymbolicLink(copy, OnnxRuntimeLibrary.Path);
        Assert.Contains($"loaded: {copy}", OutputOf("PrintWhatWasLoaded", copy), StringComparison.Ordinal);
        Assert.Contains($"loaded: {copy}", OutputOf("PrintWhatWasLoaded", folder.Root), StringComparison.Ordinal);
    }

    /// <summary>Run by the tests above in other processes.</summary>
    [Fact(Explicit = true)]
    public void PrintFailureOfLoading()
    {
        var first = Record.Exception(() => new SessionOptions());
        var second = Record.Exception(() => OrtValue.CreateTensorValueFromMemory(new float[1], [1]));
        Assert.False(OnnxRuntimeLibrary.TryLoad(out var problem));
        Assert.IsType<DllNotFoundException>(first);
        Assert.Equal(problem, first.Message);
        Assert.NotNull(second);
        TestContext.Current.TestOutputHelper!.WriteLine(first.Message);
    }

    [Fact(Explicit = true)]
    public void PrintWhatWasLoaded() => TestContext.Current.TestOutputHelper!.WriteLine($"loaded: {OnnxRuntimeLibrary.Path}");

    /// <summary>This process has loaded the library; the test assembly runs itself again.</summary>
    private static string OutputOf(string method, string library)
    {
        var start = new ProcessStartInfo(Environment.ProcessPath!) { RedirectStandardOutput = true };
        if (Path.GetFileNameWithoutExtension(Environment.ProcessPath) == "dotnet")
        {
            start.ArgumentList.Add(typeof(LibraryTests).Assembly.Location);
        }
        foreach (var argument in (string[])["-explicit", "only", "-method", $"*.{method}", "-showLiveOutput"])
        {
            start.ArgumentList.Add(argument);
        }
        start.Environment["ASR_ONNXRUNTIME_DIR"] = library;
        using var process = Process.Start(start)!;
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return output;
    }
}
