using AsrPlatform.Abstractions;
using AsrPlatform.Host.Audio;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.WebUtilities;
using Microsoft.Net.Http.Headers;

namespace AsrPlatform.Host.Api.OpenAi;

/// <summary>The multipart form of an audio request: its fields, and its file in a temporary file that goes when this is disposed.</summary>
/// <remarks>Not safe for concurrent calls. Nothing that the client sent becomes part of a path.</remarks>
internal sealed class AudioUpload : IDisposable
{
    /// <summary>What messages call the audio: the client's name for it says nothing that the client does not know.</summary>
    private const string AudioName = "The audio file";

    private const int MaximumFieldLength = 64 * 1024;
    private const int MaximumFields = 64;

    /// <summary>Room for the fields and the borders between the parts.</summary>
    private const int FormBytes = 1 << 20;

    private readonly List<KeyValuePair<string, string>> _fields = [];
    private string? _path;

    private AudioUpload()
    {
    }

    /// <summary>The temporary file; null without one.</summary>
    internal string? SpoolPath => _path;

    /// <summary>Reads a request's form.</summary>
    /// <exception cref="OpenAiException">It is no multipart form with one file, or too large.</exception>
    public static async Task<AudioUpload> ReadAsync(HttpRequest request, long maximumBytes, CancellationToken cancellationToken)
    {
        if (!MediaTypeHeaderValue.TryParse(request.ContentType, out var type)
            || !type.MediaType.Equals("multipart/form-data", StringComparison.OrdinalIgnoreCase)
            || HeaderUtilities.RemoveQuotes(type.Boundary).Value is not { Length: > 0 } boundary)
        {
            throw OpenAiException.Invalid("Send multipart/form-data with the audio in the field 'file'.", "file");
        }

        if (request.HttpContext.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } limit)
        {
            limit.MaxRequestBodySize = maximumBytes + FormBytes;
        }

        var upload = new AudioUpload();
        try
        {
            await upload.ReadPartsAsync(new MultipartReader(boundary, request.Body), maximumBytes, cancellationToken);
            return upload;
        }
        catch (BadHttpRequestException error) when (error.StatusCode == StatusCodes.Status413PayloadTooLarge)
        {
            upload.Dispose();
            throw TooLarge(maximumBytes);
        }
        catch (Exception error) when (error is InvalidDataException or BadHttpRequestException or IOException && !cancellationToken.IsCancellationRequested)
        {
            upload.Dispose();
            throw OpenAiException.Invalid($"The multipart form cannot be read: {error.Message.ReplaceLineEndings(" ")}");
        }
        catch
        {
            upload.Dispose();
            throw;
        }
    }

    /// <summary>The value of a field; null when it is not there or empty.</summary>
    /// <exception cref="OpenAiException">It is there twice.</exception>
    public string? Field(string name)
    {
        var values = Fields(name);
        return values.Count <= 1
            ? values.FirstOrDefault()
            : throw OpenAiException.Invalid($"The field '{name}' is given {values.Count} times.", name);
    }

    /// <summary>The values of a field of an array, which clients call <c>name[]</c> or <c>name</c>, without empty ones.</summary>
    public List<string> Fields(string name) =>
        [.. _fields.Where(field => (field.Key == name || field.Key == name + "[]") && field.Value.Length > 0).Select(field => field.Value)];

    /// <summary>The fields of an object, which clients send as <c>name[member]</c>: members and values.</summary>
    public Dictionary<string, string> Members(string name) => _fields
        .Where(field => field.Key.Length > name.Length + 2 && field.Key.StartsWith(name + "[", StringComparison.Ordinal) && field.Key[^1] == ']')
        .GroupBy(field => field.Key[(name.Length + 1)..^1], StringComparer.Ordinal)
        .ToDictionary(group => group.Key, group => group.Last().Value, StringComparer.Ordinal);

    /// <summary>Opens the audio, which the caller disposes before this. Blocks until the decoder shows whether it can read it.</summary>
    /// <exception cref="OpenAiException">There is no file, or it is no audio.</exception>
    public AudioFile OpenAudio()
    {
        var path = _path ?? throw OpenAiException.Invalid("The audio is missing: send it in the field 'file'.", "file", "missing_required_parameter");
        try
        {
            return AudioFile.Open(path, AudioName);
        }
        catch (AsrException error)
        {
            throw OpenAiException.Invalid(Clean(error.Message), "file", "invalid_audio");
        }
    }

    /// <summary>A message without the temporary file's path, which decoders like to name.</summary>
    public string Clean(string message) => _path is null
        ? message
        : message.Replace("file:" + _path, "the file", StringComparison.Ordinal).Replace(_path, "the file", StringComparison.Ordinal);

    public void Dispose()
    {
        if (_path is { } path)
        {
            _path = null;
            File.Delete(path);
        }
    }

    private async Task ReadPartsAsync(MultipartReader reader, long maximumBytes, CancellationToken cancellationToken)
    {
        while (await reader.ReadNextSectionAsync(cancellationToken) is { } section)
        {
            if (!ContentDispositionHeaderValue.TryParse(section.ContentDisposition, out var disposition)
                || HeaderUtilities.RemoveQuotes(disposition.Name).Value is not { Length: > 0 } name)
            {
                throw OpenAiException.Invalid("A part of the multipart form has no name.");
            }

            if (name == "file")
            {
                await SaveAsync(section.Body, maximumBytes, cancellationToken);
                continue;
            }

            if (_fields.Count == MaximumFields)
            {
                throw OpenAiException.Invalid($"The form has more than {MaximumFields} fields.");
            }

            _fields.Add(new(name, await ReadFieldAsync(name, section.Body, cancellationToken)));
        }
    }

    private async Task SaveAsync(Stream body, long maximumBytes, CancellationToken cancellationToken)
    {
        if (_path is not null)
        {
            throw OpenAiException.Invalid("The form has several files: send one.", "file");
        }

        // Readable for this user alone.
        _path = Path.GetTempFileName();
        await using var file = new FileStream(_path, FileMode.Truncate, FileAccess.Write, FileShare.None, 0, FileOptions.Asynchronous);
        var buffer = new byte[64 * 1024];
        for (var left = maximumBytes; await body.ReadAsync(buffer, cancellationToken) is > 0 and var count; left -= count)
        {
            if (count > left)
            {
                throw TooLarge(maximumBytes);
            }

            await file.WriteAsync(buffer.AsMemory(0, count), cancellationToken);
        }
    }

    private static async Task<string> ReadFieldAsync(string name, Stream body, CancellationToken cancellationToken)
    {
        using var text = new MemoryStream();
        var buffer = new byte[4096];
        while (await body.ReadAsync(buffer, cancellationToken) is > 0 and var count)
        {
            if (text.Length + count > MaximumFieldLength)
            {
                throw OpenAiException.Invalid($"The field '{name}' is longer than {MaximumFieldLength} bytes.", name);
            }

            text.Write(buffer, 0, count);
        }

        return System.Text.Encoding.UTF8.GetString(text.GetBuffer(), 0, (int)text.Length);
    }

    private static OpenAiException TooLarge(long maximumBytes) => new(
        StatusCodes.Status413PayloadTooLarge,
        new OpenAiError($"The audio file is larger than {maximumBytes} bytes, the most that OpenAi:MaximumUploadBytes allows.", OpenAiErrorTypes.InvalidRequest, "file", "file_too_large"));
}
