using AsrPlatform.Abstractions;
using AsrPlatform.Tests;
using AsrPlatform.Whisper.Files;

namespace AsrPlatform.Whisper.Tests.Files;

public sealed class NpyWriterTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData()]
    [InlineData(6)]
    [InlineData(2, 3)]
    [InlineData(0, 3)]
    [InlineData(3, 1, 2, 1)]
    public void Write_AnyShape_ReadsBack(params int[] shape)
    {
        var values = Enumerable.Range(0, shape.Aggregate(1, (product, size) => product * size)).Select(i => i - 0.5f).ToArray();
        NpyWriter.Write(_folder.File("x.npy"), values, shape);
        var array = NpyArray.Read(_folder.File("x.npy"));
        Assert.Equal(shape, array.Shape);
        Assert.Equal(values, array.ToSingle());
        Assert.Equal(0, (new FileInfo(_folder.File("x.npy")).Length - (4 * values.Length)) % 64);
    }

    [Fact]
    public void Write_FixtureArrayAgain_IsTheSameFile()
    {
        var path = Fixtures.Path("features/fox_80.npy");
        var array = NpyArray.Read(path);
        NpyWriter.Write(_folder.File("x.npy"), array.ToSingle(), array.Shape);
        Assert.Equal(File.ReadAllBytes(path), File.ReadAllBytes(_folder.File("x.npy")));
    }

    [Fact]
    public void Write_ShapeThatDoesNotFit_IsRefused() =>
        Assert.Throws<ArgumentOutOfRangeException>(() => NpyWriter.Write(_folder.File("x.npy"), new float[5], 2, 3));

    [Fact]
    public void Write_OntoAFolder_GivesOneClearError()
    {
        var error = Assert.Throws<AsrException>(() => NpyWriter.Write(_folder.Root, new float[1], 1));
        Assert.Contains("is a folder", error.Message, StringComparison.Ordinal);
    }
}
