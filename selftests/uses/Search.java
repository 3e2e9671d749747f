// SPDX-License-Identifier: GPL-2.0
// Index the lines of the files in a folder with Lucene, and count the lines that match each query
//
//	java -cp ... Search.java FOLDER INDEX QUERY...
//
// The index is made anew. Prints "QUERY: HITS" for each.

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Iterator;
import java.util.stream.Stream;
import org.apache.lucene.analysis.standard.StandardAnalyzer;
import org.apache.lucene.document.Document;
import org.apache.lucene.document.Field;
import org.apache.lucene.document.TextField;
import org.apache.lucene.index.DirectoryReader;
import org.apache.lucene.index.IndexWriter;
import org.apache.lucene.index.IndexWriterConfig;
import org.apache.lucene.index.Term;
import org.apache.lucene.search.IndexSearcher;
import org.apache.lucene.search.TermQuery;
import org.apache.lucene.store.Directory;
import org.apache.lucene.store.MMapDirectory;

class Search {
	static void index(Path folder, Directory to) throws Exception {
		IndexWriterConfig config = new IndexWriterConfig(new StandardAnalyzer());

		config.setOpenMode(IndexWriterConfig.OpenMode.CREATE);
		try (IndexWriter writer = new IndexWriter(to, config); Stream<Path> files = Files.walk(folder)) {
			for (Iterator<Path> i = files.filter(Files::isRegularFile).iterator(); i.hasNext();)
				for (String line : Files.readAllLines(i.next())) {
					Document document = new Document();

					document.add(new TextField("line", line, Field.Store.YES));
					writer.addDocument(document);
				}
		}
	}

	public static void main(String[] args) throws Exception {
		try (Directory where = new MMapDirectory(Path.of(args[1]))) {
			index(Path.of(args[0]), where);
			try (DirectoryReader reader = DirectoryReader.open(where)) {
				for (int i = 2; i < args.length; i++)
					System.out.println(args[i] + ": " + new IndexSearcher(reader)
						.count(new TermQuery(new Term("line", args[i]))));
			}
		}
	}
}
