using System.Text;
using AsrPlatform.Host.Api.OpenAi;
using Microsoft.AspNetCore.Http;

namespace AsrPlatform.Host.Tests.Api.OpenAi;

/// <summary>What an upload leaves behind: nothing.</summary>
public sealed class AudioUploadTests
{
    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Read_KeepsTheFileUntilItIsDisposed()
    {
        var upload = await ReadAsync("--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"../../etc/passwd\"\r\n\r\nabc\r\n--x--\r\n");
        var path = upload.SpoolPath!;
        Assert.Equal(Path.GetFullPath(Path.GetTempPath()).TrimEnd('/'), Path.GetDirectoryName(path));
        Assert.Equal("abc", await File.ReadAllTextAsync(path, Cancelled));
        if (!OperatingSystem.IsWindows())
        {
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(path));
        }

        upload.Dispose();
        Assert.False(File.Exists(path));
    }

    [Fact]
    public async Task OpenAudio_OfWhatIsNone_LeavesNothing()
    {
        using var upload = await ReadAsync("--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.mp3\"\r\n\r\nabc\r\n--x--\r\n");
        var path = upload.SpoolPath!;
        var error = Assert.Throws<OpenAiException>(upload.OpenAudio);
        Assert.DoesNotContain(path, error.Message, StringComparison.Ordinal);
        upload.Dispose();
        Assert.False(File.Exists(path));
    }

    [Theory]
    [InlineData("--x\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\n0123456789\r\n--x--\r\n", 413)]
    [InlineData("--x\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\n1\r\n--x\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\n2\r\n--x--\r\n", 400)]
    [InlineData("--x\r\n\r\nwithout a name\r\n--x--\r\n", 400)]
    [InlineData("--x\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\nno end", 400)]
    public async Task Read_OfWhatIsMalformed_SaysSo(string body, int status) =>
        Assert.Equal(status, (await Assert.ThrowsAsync<OpenAiException>(() => ReadAsync(body))).StatusCode);

    [Fact]
    public async Task Fields_OfArraysAndObjects_AreReadUnderBothNames()
    {
        using var upload = await ReadAsync(string.Concat(new[] { ("a[]", "1"), ("a[]", "2"), ("b", "3"), ("c[type]", "x"), ("c[n]", "4"), ("d", "") }
            .Select(field => $"--x\r\nContent-Disposition: form-data; name=\"{field.Item1}\"\r\n\r\n{field.Item2}\r\n")) + "--x--\r\n");
        Assert.Equal(["1", "2"], upload.Fields("a"));
        Assert.Equal("3", upload.Field("b"));
        Assert.Equal(["type=x", "n=4"], upload.Members("c").Select(member => $"{member.Key}={member.Value}"));
        Assert.Null(upload.Field("d"));
        Assert.Throws<OpenAiException>(() => upload.Field("a"));
    }

    private static async Task<AudioUpload> ReadAsync(string body)
    {
        var context = new DefaultHttpContext();
        context.Request.ContentType = "multipart/form-data; boundary=x";
        context.Request.Body = new MemoryStream(Encoding.UTF8.GetBytes(body));
        return await AudioUpload.ReadAsync(context.Request, maximumBytes: 8, Cancelled);
    }
}
