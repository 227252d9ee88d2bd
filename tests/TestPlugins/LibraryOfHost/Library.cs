namespace AsrPlatform.TestPlugins.Library;

public static class Library
{
    public static string Origin => "the host";
}
