using System.Security.Cryptography;
using System.Text;
using AsrPlatform.Abstractions;

namespace AsrPlatform.Host.Learning.Registry;

/// <summary>Tells base models apart: an adapter fits the weights that it was trained on, and no others.</summary>
internal static class BaseModel
{
    /// <summary>
    /// SHA-256 of a checkpoint folder's weights: of the file where there is one, else of the list of its shards with the SHA-256 of each,
    /// in the order of their names.
    /// </summary>
    /// <param name="directory">A checkpoint folder.</param>
    /// <param name="cancellationToken">Stops.</param>
    /// <returns>64 hexadecimal digits, lower case.</returns>
    /// <exception cref="AsrException">It holds no weights, or they cannot be read.</exception>
    public static async Task<string> HashAsync(string directory, CancellationToken cancellationToken = default)
    {
        try
        {
            var files = Directory.GetFiles(directory, "*.safetensors").Order(StringComparer.Ordinal).ToArray();
            if (files.Length == 0)
            {
                throw new AsrException($"{directory} holds no safetensors weights: an adapter cannot be told to belong to them");
            }

            var hashes = new List<string>();
            foreach (var file in files)
            {
                await using var stream = new FileStream(file, new FileStreamOptions { Options = FileOptions.Asynchronous | FileOptions.SequentialScan, BufferSize = 1 << 20 });
                hashes.Add(Convert.ToHexStringLower(await SHA256.HashDataAsync(stream, cancellationToken)));
            }

            return files.Length == 1
                ? hashes[0]
                : Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(string.Concat(files.Zip(hashes, static (file, hash) => $"{Path.GetFileName(file)} {hash}\n")))));
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new AsrException($"the weights of {directory} cannot be read: {error.Message}", error);
        }
    }
}
