using AsrPlatform.Abstractions.Plugins;
using AsrPlatform.Host.Diagnostics;

namespace AsrPlatform.Host.Tests.Diagnostics;

public sealed class NativeLibraryDiagnosticsTests
{
    private const string Lib = "/usr/lib/x86_64-linux-gnu";
    private const string OpenBlas = Lib + "/openblas-openmp/libblas.so.3";

    [Fact]
    public void Describe_OpenBlasLoaded_IsOk()
    {
        var item = Assert.Single(Describe([OpenBlas, Lib + "/openblas-openmp/libopenblasp-r0.3.21.so", "/usr/lib/libc.so.6"], []));

        Assert.Equal(("BLAS in use", OpenBlas, DiagnosticLevel.Ok), (item.Name, item.Value, item.Level));
    }

    [Theory]
    [InlineData(true, "sudo update-alternatives --set libblas.so.3-x86_64-linux-gnu " + OpenBlas)]
    [InlineData(false, "sudo apt-get install libopenblas0-openmp")]
    public void Describe_ReferenceBlasLoaded_WarnsWithTheCommandThatFits(bool openBlasInstalled, string remedy)
    {
        var files = new Dictionary<string, string>();
        if (openBlasInstalled)
        {
            files[OpenBlas] = OpenBlas;
        }

        var item = Assert.Single(Describe([Lib + "/blas/libblas.so.3.11.0"], files));

        Assert.Equal(DiagnosticLevel.Warning, item.Level);
        Assert.Contains("reference BLAS", item.Value, StringComparison.Ordinal);
        Assert.Equal(remedy, item.Remedy);
    }

    [Fact]
    public void Describe_NothingLoaded_TellsTheSystemsAlternative()
    {
        var slow = Assert.Single(Describe([], new() { [Lib + "/libblas.so.3"] = Lib + "/blas/libblas.so.3.11.0" }));
        var fast = Assert.Single(Describe([], new() { [Lib + "/libblas.so.3"] = OpenBlas }));
        var none = Assert.Single(Describe([], []));

        Assert.Equal((DiagnosticLevel.Warning, DiagnosticLevel.Ok, DiagnosticLevel.Warning), (slow.Level, fast.Level, none.Level));
        Assert.Equal("sudo apt-get install libopenblas0-openmp", none.Remedy);
    }

    [Fact]
    public void Describe_OpenBlasWithItsOwnThreads_Warns() =>
        Assert.Equal(DiagnosticLevel.Warning, Assert.Single(Describe([Lib + "/openblas-pthread/libopenblasp-r0.3.21.so"], [])).Level);

    [Theory]
    [InlineData(DiagnosticLevel.Ok, Lib + "/libgomp.so.1.0.0")]
    [InlineData(DiagnosticLevel.Warning, Lib + "/libgomp.so.1.0.0", "/opt/torch/lib/libiomp5.so")]
    [InlineData(DiagnosticLevel.Warning, Lib + "/libgomp.so.1.0.0", "/opt/torch/lib/libgomp-a34b3233.so.1")]
    public void Describe_OpenMpRuntimes_SeveralAreAWarning(DiagnosticLevel level, params string[] loaded)
    {
        var item = Describe([OpenBlas, .. loaded], []).Single(item => item.Name == "OpenMP");

        Assert.Equal(level, item.Level);
        Assert.Equal(level == DiagnosticLevel.Ok, item.Remedy is null);
    }

    [Fact]
    public void OfThisProcess_OnLinux_SeesTheRuntimeItself()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "It reads /proc.");

        Assert.Contains(NativeLibraryDiagnostics.OfThisProcess()!.LoadedFiles, path => Path.GetFileName(path) == "libcoreclr.so");
    }

    private static List<DiagnosticItem> Describe(string[] loaded, Dictionary<string, string> files) =>
        [.. new NativeLibraryDiagnostics(loaded, files.GetValueOrDefault, "x86_64-linux-gnu").Describe()];
}
