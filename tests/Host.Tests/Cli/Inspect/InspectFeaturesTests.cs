using AsrPlatform.Abstractions;
using AsrPlatform.Host.Cli.Inspect;
using AsrPlatform.Tests;

namespace AsrPlatform.Host.Tests.Cli.Inspect;

public sealed class InspectFeaturesTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Invoke_Clip_WritesHuggingFacesFeatures()
    {
        var output = _folder.File("x.npy");
        Assert.Equal(0, await Invoke(Fixtures.Path("audio/jfk.wav"), Fixtures.Path("micro"), output));

        var found = NpyArray.Read(output);
        var expected = NpyArray.Read(Fixtures.Path("features/jfk_80.npy"));
        Assert.Equal([80, 3000], found.Shape);
        for (var bin = 0; bin < 80; bin++)
        {
            for (var frame = 0; frame < expected.Shape[1]; frame++)
            {
                Assert.Equal(expected.Values[(bin * expected.Shape[1]) + frame], found.Values[(bin * 3000) + frame], 5e-5);
            }
        }
    }

    [Fact]
    public async Task Invoke_LongerThanThirtySeconds_IsCut()
    {
        var output = _folder.File("x.npy");
        Assert.Equal(0, await Invoke(Fixtures.Path("audio/long_en.wav"), Fixtures.Path("micro"), output));
        Assert.Equal([80, 3000], NpyArray.Read(output).Shape);
    }

    [Fact]
    public async Task Invoke_BrokenInput_LeavesNothing()
    {
        var output = _folder.File("x.npy");
        await Assert.ThrowsAsync<AsrException>(() => Invoke(_folder.File("none.wav"), Fixtures.Path("micro"), output));
        await Assert.ThrowsAsync<AsrException>(() => Invoke(Fixtures.Path("audio/jfk.wav"), _folder.Root, output));
        Assert.Empty(Directory.GetFiles(_folder.Root));
    }

    private static Task<int> Invoke(string file, string model, string output) =>
        InspectFeatures.Create().Parse([file, "--model", model, "--output", output])
            .InvokeAsync(new System.CommandLine.InvocationConfiguration { EnableDefaultExceptionHandler = false });
}
